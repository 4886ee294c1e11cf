import Commerce
import FastCGI
import HTTPTypes
import Store

/// GET /api/v1/users/{userId}
func balance(_ user: PathNumber, _ shop: Shop) throws -> Response {
    guard let id = user.positive, let user = try shop.users.user(UserID(id)) else {
        throw Problem.unknownUser
    }
    return .json(JSON.array([.balance(user)]).bytes, cacheControl: "no-store")
}
