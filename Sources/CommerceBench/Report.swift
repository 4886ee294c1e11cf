/// The results of one race, side by side.
struct Report {
    private let results: [Race.Result]

    init(_ results: [Race.Result]) {
        self.results = results
    }

    /// The table, and what has to be said about its rows.
    var text: String {
        ([table.text] + results.flatMap(remarks)).joined(separator: "\n")
    }

    private var reference: ContestReport? {
        results.first { $0.entry.kind == .forUpdate }?.report
    }

    private var table: Table {
        var table = Table([
            "strategy", "orders", "ms", "orders/s", "ratio", "p50 ms", "p99 ms", "p99 ratio",
            "conflicts", "retries", "errors", "oversold", "lost", "customer's ms",
        ])
        for result in results {
            let report = result.report
            table.add([
                result.entry.title, "\(report.orders.count)", report.milliseconds.milliseconds,
                report.ordersPerSecond.rounded(places: 0), ratio(report, \.ordersPerSecond),
                report.percentile(0.5).milliseconds, report.percentile(0.99).milliseconds,
                ratio(report) { $0.percentile(0.99) }, "\(report.effort.conflicts)",
                "\(report.effort.retries)", "\(result.failures.values.reduce(0, +))",
                "\(result.oversold)", "\(result.lost)",
                result.entry.kind.customersMilliseconds.map { "\($0)" } ?? "",
            ])
        }
        return table
    }

    /// To FOR UPDATE of the same race.
    private func ratio(_ report: ContestReport, _ value: (ContestReport) -> Double) -> String {
        guard let reference, value(reference) > 0 else { return "" }
        return (value(report) / value(reference)).rounded(places: 2)
    }

    private func remarks(_ result: Race.Result) -> [String] {
        let effort = result.report.effort
        var remarks: [String] = []
        if effort.batches.count > 0 {
            remarks.append(
                "\(result.entry.title): \(effort.batches.count) batches of "
                    + "\(effort.batches.mean.rounded(places: 1)) orders on average "
                    + "(\(effort.batches.ranges)); \(effort.queue.mean.rounded(places: 1)) waiting")
        }
        if result.entry.processes > 1, let alone = alone(result.entry.kind) {
            let ratio = result.report.ordersPerSecond / alone.ordersPerSecond
            remarks.append(
                "\(result.entry.title): \(ratio.rounded(places: 2)) of one process's orders/s")
        }
        for (failure, count) in result.failures.sorted(by: { $0.key < $1.key }) {
            remarks.append("\(result.entry.title): \(count) times \(failure)")
        }
        remarks += result.faults.map { "\(result.entry.title): WRONG: \($0)" }
        if result.oversold != 0 || result.lost != 0 {
            let verdict =
                result.entry.kind.isExact(processes: result.entry.processes)
                ? "WRONG" : "wrong, as it has to be"
            remarks.append(
                "\(result.entry.title): \(verdict): \(result.oversold) units sold that were not "
                    + "there, \(result.lost) sold and still in stock (the worst round)")
        }
        return remarks
    }

    private func alone(_ kind: StrategyKind) -> ContestReport? {
        results.first { $0.entry.kind == kind && $0.entry.processes == 1 }?.report
    }
}
