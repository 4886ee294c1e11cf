import Testing

/// Well-behaved clients that ask without a pause until they are told to stop.
final class Load: Sendable {
    /// What has come of it.
    struct Report: Sendable {
        /// What went wrong, in words.
        var faults: [String] = []
        /// How long each answer took.
        var seconds: [Double] = []

        /// 99 of 100 answers took no longer.
        var p99Milliseconds: Double {
            let sorted = seconds.sorted()
            return sorted.isEmpty ? 0 : sorted[(sorted.count - 1) * 99 / 100] * 1_000
        }
    }

    /// Those of one client, after which it gives up.
    private static let faultsMax = 5

    private let report: Beside<Report>
    let requests = Tally()
    private let isOver = Tally()

    init(on shop: Shop, threads: Int = 8) {
        let (requests, isOver) = (requests, isOver)
        report = Beside {
            try inParallel(threads, threads: threads, { shop.newClient() }) {
                client, number -> Report in
                var report = Report()
                while isOver.count == 0 && report.faults.count < Self.faultsMax {
                    let (fault, seconds) = timed {
                        Self.fault(client, requests.add(), by: 2 + number)
                    }
                    report.seconds.append(seconds)
                    if let fault { report.faults.append(fault) }
                }
                return report
            }.reduce(into: Report()) { all, one in
                all.faults += one.faults
                all.seconds += one.seconds
            }
        }
    }

    private static func fault(_ client: Client, _ number: Int, by user: Int) -> String? {
        do {
            let answer = try ask(client, number, by: user)
            return answer.status == 200 ? nil : "\(answer.status) \(answer.text)"
        } catch {
            return "\(error)"
        }
    }

    private static func ask(_ client: Client, _ number: Int, by user: Int) throws -> Answer {
        switch number % 4 {
        case 0: try client.get("/products/101")
        case 1: try client.get("/api/v1/users/\(user)")
        case 2:
            try client.post(
                "/api/v1/users/\(user)/charge", charge(1_000),
                key: "load-\(user)-\(number)")
        default:
            try client.post(
                "/api/v1/orders", order(user, [(100 + user % 5 + 1, 1)], paying: 2_000))
        }
    }

    /// Waits for so many further requests.
    func pass(_ count: Int) throws {
        let goal = requests.count + count
        let passed = eventually(within: 60) {
            requests.count >= goal || report.isDone ? true : nil
        }
        if passed == nil { throw Failure("the load stands still") }
    }

    /// Stops asking and waits for the last answers.
    func end() throws -> Report {
        isOver.add()
        return try report.value()
    }

    /// Gives the users points and the products stock for any load, and opens the books.
    static func prepare(_ shop: Shop) throws -> Books {
        try shop.execute("UPDATE users SET point = 1000000000")
        try shop.execute("UPDATE stock SET quantity = 1000000")
        return try Books(shop)
    }
}
