import FastCGI
import HTTPTypes
import Store

/// GET /livez: the process answers. Touches nothing else.
func live() -> Response {
    .json(healthy, cacheControl: "no-store")
}

private let healthy = JSON.object([("status", .string("ok"))]).bytes

/// GET /readyz: 503 while the process drains or MariaDB does not answer; `degraded` while memcached
/// does not, since everything works without it.
func ready(_ shop: Shop, isDraining: Bool) throws -> Response {
    if isDraining {
        throw Problem(.serviceUnavailable, "DRAINING", "Draining", "This process is stopping.")
    }
    guard shop.health.databaseAnswers else {
        throw Problem(
            .serviceUnavailable, "DATABASE_UNREACHABLE", "Database unreachable",
            "MariaDB does not answer.")
    }
    let status = shop.health.cacheAnswers == false ? "degraded" : "ok"
    return .json(JSON.object([("status", .string(status))]).bytes, cacheControl: "no-store")
}
