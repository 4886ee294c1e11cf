import FoundationEssentials
import Glibc
import ShopParts
import Synchronization

/// What all clients of a run share.
final class Crowd: Sendable {
    /// How long a client waits for an answer: longer than nginx does for the shop's.
    private static let patienceSeconds = 20

    let port: UInt16
    let seed: UInt64
    let records = Records()
    let journal: Journal
    let requests = Tally()
    /// What a client was shown and must never be.
    private let shocks = Mutex<[String]>([])

    init(port: UInt16, seed: UInt64, journal: Journal) {
        self.port = port
        self.seed = seed
        self.journal = journal
    }

    var wrong: [String] { shocks.withLock { $0 } }

    func complain(_ what: String) { shocks.withLock { $0.append(what) } }

    @Sendable func newClient() -> Client {
        Client(port: port, patienceSeconds: Self.patienceSeconds)
    }

    /// Sends a command once and notes what comes of it.
    @discardableResult
    func send(
        _ command: Command, as name: String, over client: Client, isResolving: Bool = false
    ) -> Outcome {
        records.begin(command)
        let key = command.hasKey ? command.key.name : nil
        journal.write(name, command.path, key: key, body: command.body, outcome: nil)
        let began = ContinuousClock.now
        let outcome = outcome(of: command, over: client)
        records.add(
            Record.Attempt(
                command: command, began: began, ended: .now, outcome: outcome,
                isResolving: isResolving))
        journal.write(
            name, command.path, key: key, body: command.body, outcome: outcome.description)
        if case .wrong(let what) = outcome { complain("\(name): \(command.key): \(what)") }
        return outcome
    }

    private func outcome(of command: Command, over client: Client) -> Outcome {
        requests.add()
        do {
            let key = command.hasKey ? command.key.name : nil
            return Outcome(try client.post(command.path, command.body, key: key))
        } catch is Client.NotConnected {
            return .notDone
        } catch {
            return .unknown("\(error)")
        }
    }

    /// Reads, and says what is wrong with the answer.
    ///
    /// - Parameter expected: a text that a 200 has to contain.
    func look(
        _ path: String, as name: String, over client: Client, expected: String? = nil
    ) {
        requests.add()
        let answer = try? client.get(path)
        journal.write(
            name, "GET \(path)", key: nil, body: "",
            outcome: answer.map { "\($0.status) \($0.text)" } ?? "no answer")
        guard let answer, ![502, 503, 504].contains(answer.status) else { return }
        if answer.status != 200 {
            complain("\(name): GET \(path): \(answer.status) \(answer.text.prefix(120))")
        } else if let expected, !answer.text.contains(expected) {
            complain("\(name): GET \(path): no \(expected) in \(answer.text.prefix(200))")
        }
    }
}

extension Outcome: CustomStringConvertible {
    var description: String {
        switch self {
        case .accepted(let body, let isReplayed):
            "accepted\(isReplayed ? ", replayed" : ""): \(String(decoding: body, as: UTF8.self))"
        case .refused(let code): "refused: \(code)"
        case .notDone: "not done"
        case .inProgress: "in progress"
        case .keyReused: "the key is another request's"
        case .unknown(let why): "unknown: \(why)"
        case .wrong(let what): "wrong: \(what)"
        }
    }
}

/// One of the clients, with a connection, a list of errands and a memory of its own.
final class Shopper {
    /// Attempts of a persistent client, and the pause between two.
    private static let attemptsMax = 5
    private static let pauseMilliseconds: UInt32 = 300
    /// After so many errands the same is sent again.
    private static let againAfter = 7

    private let name: String
    private let crowd: Crowd
    private let client: Client
    private var errands: Errands
    /// The orders that it placed, by the errand's number.
    private var orders: [Int: Command] = [:]
    private var again: [(due: Int, command: Command)] = []

    init(_ number: Int, in crowd: Crowd) {
        name = "client \(number)"
        self.crowd = crowd
        client = crowd.newClient()
        errands = Errands(seed: crowd.seed, client: number)
    }

    /// Runs one errand, and rests as long as it says.
    func runErrand() {
        let errand = errands.next()
        if let command = command(for: errand) {
            carryOut(command, of: errand)
        } else {
            look(for: errand)
        }
        while let next = again.first, next.due <= errand.number {
            again.removeFirst()
            crowd.send(next.command, as: name, over: client)
        }
        usleep(UInt32(errand.pauseMilliseconds) * 1_000)
    }

    /// Nil for an errand that changes nothing, or has nothing to change.
    private func command(for errand: Errand) -> Command? {
        let key = "\(crowd.seed)-\(name.dropFirst("client ".count))-\(errand.number)"
        switch errand.wish {
        case .order(let user, let lines, let payment):
            let command = Command.order(
                key, user: user, lines: lines, payment: payment, hasKey: errand.hasKey)
            orders[errand.number] = command
            return command
        case .charge(let user, let amount):
            return .charge(key, user: user, amount: amount)
        case .cancel(let number):
            guard let (order, command) = order(of: number) else { return nil }
            return .cancel(key, of: order, by: command)
        case .look: return nil
        }
    }

    /// The order that an errand has placed, as far as it knows.
    private func order(of errand: Int) -> (Int, Command)? {
        guard let command = orders[errand], let record = crowd.records[command.key],
            let accepted = record.accepted, let number = orderNumber(in: accepted.body)
        else { return nil }
        return (number, accepted.command)
    }

    private func carryOut(_ command: Command, of errand: Errand) {
        switch errand.manner {
        case .once: crowd.send(command, as: name, over: client)
        case .persistently:
            for _ in 1...Self.attemptsMax {
                if crowd.send(command, as: name, over: client).isDefinite { return }
                usleep(Self.pauseMilliseconds * 1_000)
            }
        case .twiceAtOnce:
            let (crowd, name) = (crowd, name)
            let twin = TestThread {
                crowd.send(command, as: "\(name) twin", over: crowd.newClient())
            }
            crowd.send(command, as: name, over: client)
            twin.join()
        case .againLater:
            crowd.send(command, as: name, over: client)
            again.append((errand.number + Self.againAfter, command))
        case .withAnotherBody:
            crowd.send(command, as: name, over: client)
            if let variant = command.variant { crowd.send(variant, as: name, over: client) }
            crowd.send(command, as: name, over: client)
        }
    }

    private func look(for errand: Errand) {
        guard case .look(let sight) = errand.wish else { return }
        switch sight {
        case .balance(let user):
            crowd.look(
                "/api/v1/users/\(user)", as: name, over: client, expected: "\"userId\": \(user),")
        case .product(let id):
            crowd.look("/products/\(id)", as: name, over: client, expected: "\"id\": \(id),")
        case .bestSellers: crowd.look("/products/popular", as: name, over: client)
        case .orders(let user):
            crowd.look("/api/v1/users/\(user)/orders", as: name, over: client)
        case .order(let number):
            guard let (order, command) = order(of: number) else { return }
            crowd.look(
                "/api/v1/orders/\(order)", as: name, over: client,
                expected: "\"totalPrice\": \(command.amount),")
        }
    }
}
