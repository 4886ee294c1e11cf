import Dispatch
import FastCGI
import Glibc
import HTTPTypes
import Synchronization

/// Answers with what it was asked, or with what a test wants to know about the process.
final class Echo: Sendable {
    private let calls = Atomic<Int>(0)

    func answer(_ request: Request, _ seat: Seat) -> Answer {
        guard request.path == "/later" else { return .now(response(to: request, seat)) }
        let milliseconds = Self.number(in: request)
        calls.add(1, ordering: .relaxed)
        return .later { reply in
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) {
                reply.send(self.text("later \(request.target)"))
            }
        }
    }

    private func response(to request: Request, _ seat: Seat) -> Response {
        let callsBefore = calls.add(1, ordering: .relaxed).oldValue
        switch request.path {
        case "/calls": return text("\(callsBefore)")
        case "/process": return text("\(getpid())")
        case "/worker": return text("\(pthread_self())")
        case "/sleep":
            seat.giveUp()
            usleep(UInt32(Self.number(in: request) * 1_000))
            return text("slept")
        case "/hang":  // Without a word before.
            usleep(UInt32(Self.number(in: request) * 1_000))
            return text("slept")
        case "/status":
            var response = text("a body")
            response.status = HTTPResponse.Status(code: Self.number(in: request))
            return response
        case "/large":
            return Response(
                status: .ok, body: Array(repeating: 0x78, count: Self.number(in: request)))
        default: return text("", Self.echo(request))
        }
    }

    private func text(_ text: String, _ bytes: [UInt8] = []) -> Response {
        Response(
            status: .ok, headerFields: [.contentType: "text/plain"], body: Array(text.utf8) + bytes)
    }

    /// The number that is the query: 200 in `/sleep?200`.
    private static func number(in request: Request) -> Int {
        Int(request.target.drop { $0 != "?" }.dropFirst()) ?? 0
    }

    /// A request line, header fields, an empty line and the body.
    private static func echo(_ request: Request) -> [UInt8] {
        var head = "\(request.method.rawValue) \(request.target)\n"
        for field in request.headerFields {
            head += "\(field.name.rawName): \(field.value)\n"
        }
        return Array("\(head)\n".utf8) + request.body
    }
}
