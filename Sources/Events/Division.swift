/// Why nothing came of a whole batch.
enum BatchFailure: Error {
    /// The way to the target is broken, whatever the batch.
    case unavailable(TargetUnavailable)
    /// The batch as it is can never be delivered, for the fault of some of it, perhaps.
    case refused(cause: String)
}

extension Target {
    /// Delivers a batch; where it is refused, its halves, and so on down to the one that is at fault.
    /// That one fails as itself, and all others are delivered.
    static func dividing<Item>(
        _ items: some RandomAccessCollection<Item>,
        _ deliver: ([Item]) throws(BatchFailure) -> [DeliveryResult]
    ) throws(TargetUnavailable) -> [DeliveryResult] {
        do throws(BatchFailure) {
            return items.isEmpty ? [] : try deliver(Array(items))
        } catch {
            switch error {
            case .unavailable(let error): throw error
            case .refused(let cause) where items.count == 1:
                return [.failed(cause: cause, retryAfterSeconds: nil)]
            case .refused:
                let (first, second) = (
                    items.prefix(items.count / 2), items.dropFirst(items.count / 2)
                )
                return try dividing(first, deliver) + dividing(second, deliver)
            }
        }
    }
}
