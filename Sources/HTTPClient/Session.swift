import CCurl

/// The transfers of one call at a time, and the connections that are kept between calls.
///
/// Unchecked: libcurl wants one thread at a time, which is the one that took the session from the
/// list of idle ones.
final class Session: @unchecked Sendable {
    /// Of waiting without looking; a transfer's own limits end every wait before.
    private static let pollMilliseconds: Int32 = 1_000

    private let options: HTTPClient.Options
    private let multi: UnsafeMutableRawPointer

    init(_ options: HTTPClient.Options) {
        guard let multi = curl_multi_init() else { fatalError("no memory for a session") }
        curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, options.concurrentMax)
        self.multi = multi
        self.options = options
    }

    deinit { curl_multi_cleanup(multi) }

    /// Sends requests and waits for all results.
    func send(
        _ requests: [HTTPClient.Request]
    ) -> [Result<HTTPClient.Response, HTTPClient.Failure>] {
        var results = [Result<HTTPClient.Response, HTTPClient.Failure>?](
            repeating: nil, count: requests.count)
        var waiting = requests.enumerated().makeIterator()
        var underWay: [UnsafeMutableRawPointer: (index: Int, transfer: Transfer)] = [:]

        func startNext() {
            while underWay.count < options.concurrentMax, let (index, request) = waiting.next() {
                do throws(HTTPClient.Failure) {
                    let transfer = try Transfer(request, options)
                    let code = curl_multi_add_handle(multi, transfer.easy)
                    precondition(code == CURLM_OK, Self.text(code))
                    underWay[transfer.easy] = (index, transfer)
                } catch {
                    results[index] = .failure(error)
                }
            }
        }

        startNext()
        while !underWay.isEmpty {
            run()
            while let (easy, code) = nextFinished() {
                guard let (index, transfer) = underWay.removeValue(forKey: easy) else { continue }
                results[index] = transfer.result(code)
                curl_multi_remove_handle(multi, easy)
            }
            startNext()
        }
        return results.map { $0! }
    }

    /// Moves every transfer as far as it goes, having waited until one of them can.
    private func run() {
        var running: Int32 = 0
        var code = curl_multi_perform(multi, &running)
        precondition(code == CURLM_OK, Self.text(code))
        guard running > 0 else { return }
        code = curl_multi_poll(multi, nil, 0, Self.pollMilliseconds, nil)
        precondition(code == CURLM_OK, Self.text(code))
    }

    private func nextFinished() -> (easy: UnsafeMutableRawPointer, code: CURLcode)? {
        var left: Int32 = 0
        guard let message = curl_multi_info_read(multi, &left) else { return nil }
        return (message.pointee.easy_handle, curl_message_result(message))
    }

    private static func text(_ code: CURLMcode) -> String {
        String(cString: curl_multi_strerror(code))
    }
}
