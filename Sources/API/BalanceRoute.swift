import Commerce
import FastCGI
import HTTPTypes
import Store

/// GET /api/v1/users/{userId}
func balance(_ user: PathNumber, _ shop: Shop) throws -> PendingResponse {
    guard let id = user.positive.map(UserID.init) else { throw Problem.unknownUser }
    return { then in
        shop.users.user(id) { found in
            then(
                Result {
                    guard let user = try found.get() else { throw Problem.unknownUser }
                    return .json(JSON.array([.balance(user)]).bytes, cacheControl: "no-store")
                })
        }
    }
}
