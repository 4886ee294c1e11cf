import CCurl
import Glibc
import HTTPTypes

/// One request and what has come of its answer. Releasing it frees libcurl's handle.
///
/// Its address is known to libcurl's callbacks, which run only while its session does.
final class Transfer {
    /// Bytes of the answer's head: as much as nginx and Apache take of a request's.
    private static let headBytesMax = 32 * 1_024

    let easy: UnsafeMutableRawPointer

    private let options: HTTPClient.Options
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var requestHeaders: UnsafeMutablePointer<curl_slist>?
    private var refusedAddress: IPAddress?
    private var headBytes = 0
    private var bodyBytes = 0
    /// Of the final answer, once its head has ended.
    private var status: Int?

    init(
        _ request: HTTPClient.Request, _ options: HTTPClient.Options
    ) throws(HTTPClient.Failure) {
        guard let easy = curl_easy_init() else { fatalError("no memory for a transfer") }
        self.easy = easy
        self.options = options
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        guard curl_easy_set_text(easy, CURLOPT_URL, request.url) == CURLE_OK else {
            throw .invalidURL
        }
        setLimits()
        setCallbacks()
        setContent(request)
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(requestHeaders)
        errorText.deallocate()
    }

    // MARK: - The request

    private func setLimits() {
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_PROXY, "")  // Otherwise the environment's.
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        if let file = options.certificateAuthorities { set(CURLOPT_CAINFO, file) }
        set(CURLOPT_CONNECTTIMEOUT_MS, options.connectMilliseconds)
        set(CURLOPT_TIMEOUT_MS, options.totalMilliseconds)
        set(CURLOPT_NOSIGNAL, 1)
        // A look-up that takes too long is left to end by itself; otherwise it is waited for.
        set(CURLOPT_QUICK_EXIT, 1)
    }

    private func setContent(_ request: HTTPClient.Request) {
        // No "Expect: 100-continue", which costs a second with a server that does not know it.
        requestHeaders = curl_slist_append(nil, "Expect:")
        for field in request.headers {
            // In libcurl's language, "name:" would leave the header out.
            let line = field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)"
            requestHeaders = curl_slist_append(requestHeaders, line)
        }
        setPointer(CURLOPT_HTTPHEADER, requestHeaders)
        set(CURLOPT_POST, 1)
        set(CURLOPT_POSTFIELDSIZE, request.body.count)
        request.body.withUnsafeBytes { bytes in
            // Copied, by the size just set; nil would mean that the body comes from a callback.
            setPointer(
                CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        }
        if request.body.isEmpty { set(CURLOPT_COPYPOSTFIELDS, "") }
    }

    private func setCallbacks() {
        let this = Unmanaged.passUnretained(self).toOpaque()
        setPointer(CURLOPT_ERRORBUFFER, errorText)
        for option in [CURLOPT_HEADERDATA, CURLOPT_WRITEDATA, CURLOPT_OPENSOCKETDATA] {
            setPointer(option, this)
        }
        check(
            curl_easy_set_data_function(easy, CURLOPT_HEADERFUNCTION) { line, _, count, this in
                guard let line, let this else { return 0 }
                let bytes = UnsafeRawBufferPointer(start: line, count: count)
                return Transfer.at(this).takeHead(bytes) ? count : 0
            })
        check(
            curl_easy_set_data_function(easy, CURLOPT_WRITEFUNCTION) { part, _, count, this in
                guard let part, let this else { return 0 }
                let bytes = UnsafeRawBufferPointer(start: part, count: count)
                return Transfer.at(this).takeBody(bytes) ? count : 0
            })
        check(
            curl_easy_set_open_socket_function(easy) { this, _, address in
                guard let this, let address else { return CURL_SOCKET_BAD }
                return Transfer.at(this).openSocket(to: address)
            })
    }

    private static func at(_ pointer: UnsafeMutableRawPointer) -> Transfer {
        Unmanaged<Transfer>.fromOpaque(pointer).takeUnretainedValue()
    }

    private func set(_ option: CURLoption, _ value: Int) {
        check(curl_easy_set_long(easy, option, value))
    }

    private func set(_ option: CURLoption, _ text: String) {
        check(curl_easy_set_text(easy, option, text))
    }

    private func setPointer(_ option: CURLoption, _ pointer: UnsafeMutableRawPointer?) {
        check(curl_easy_set_pointer(easy, option, pointer))
    }

    /// An option is refused only by a libcurl that was built without it, or without memory.
    private func check(_ code: CURLcode) {
        precondition(code == CURLE_OK, String(cString: curl_easy_strerror(code)))
    }

    // MARK: - The connection

    /// Here and not at the name: whatever a name led to a moment ago, this is where bytes would go.
    private func openSocket(to address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        let family = address.pointee.family
        if options.addresses == .publicOnly {
            guard let start = UnsafeRawPointer(address.pointer(to: \.addr)) else {
                return CURL_SOCKET_BAD
            }
            let bytes = UnsafeRawBufferPointer(start: start, count: Int(address.pointee.addrlen))
            guard let target = IPAddress(bytes, family: family) else { return CURL_SOCKET_BAD }
            guard target.isPublic else {
                refusedAddress = target
                return CURL_SOCKET_BAD
            }
        }
        let type = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
        return socket(family, type, address.pointee.protocol)
    }

    // MARK: - The answer

    /// Takes a line of the head; false ends the transfer.
    private func takeHead(_ line: UnsafeRawBufferPointer) -> Bool {
        headBytes += line.count
        guard headBytes <= Self.headBytesMax else { return false }
        let isEnd = line.allSatisfy { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }
        let code = long(CURLINFO_RESPONSE_CODE)
        // Below 200 it is an interim answer (RFC 9110, 15.2).
        if isEnd && code >= 200 && status == nil { status = code }
        return true
    }

    /// Takes a part of the body; false ends the transfer.
    private func takeBody(_ part: UnsafeRawBufferPointer) -> Bool {
        bodyBytes += part.count
        return bodyBytes <= options.bodyBytesMax
    }

    /// What has become of it, when libcurl has ended it with this code. Whatever befalls the body,
    /// the server has spoken: to take its answer for none would be to do again what it has done.
    func result(_ code: CURLcode) -> Result<HTTPClient.Response, HTTPClient.Failure> {
        guard let status else { return .failure(failure(code)) }
        return .success(
            HTTPClient.Response(status: status, retryAfterSeconds: retryAfterSeconds))
    }

    private func failure(_ code: CURLcode) -> HTTPClient.Failure {
        switch code {
        case CURLE_UNSUPPORTED_PROTOCOL where !wasConnected: .invalidURL
        case CURLE_URL_MALFORMAT, CURLE_LOGIN_DENIED: .invalidURL
        case CURLE_COULDNT_RESOLVE_HOST: .nameNotFound
        case CURLE_COULDNT_CONNECT: connectionFailure()
        case CURLE_OPERATION_TIMEDOUT where wasConnected:
            .noAnswerInTime(milliseconds: options.totalMilliseconds)
        case CURLE_OPERATION_TIMEDOUT:
            .noConnectionInTime(
                milliseconds: min(options.connectMilliseconds, options.totalMilliseconds))
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
            .untrusted(text(code))
        case CURLE_WRITE_ERROR: .broken("its head is longer than \(Self.headBytesMax) bytes")
        case CURLE_OK: .broken("its head breaks off")
        default: .broken(text(code))
        }
    }

    private func connectionFailure() -> HTTPClient.Failure {
        if let refusedAddress { return .addressRefused("\(refusedAddress)") }
        let error = Int32(long(CURLINFO_OS_ERRNO))
        guard error != 0 else { return .unreachable(text(CURLE_COULDNT_CONNECT)) }
        return .unreachable(String(cString: strerror(error)))
    }

    private var wasConnected: Bool { offset(CURLINFO_PRETRANSFER_TIME_T) > 0 }

    private var retryAfterSeconds: Int? {
        let seconds = offset(CURLINFO_RETRY_AFTER)
        return seconds > 0 ? seconds : nil
    }

    private func offset(_ info: CURLINFO) -> Int {
        var value: curl_off_t = 0
        check(curl_easy_get_offset(easy, info, &value))
        return Int(value)
    }

    private func long(_ info: CURLINFO) -> Int {
        var value = 0
        check(curl_easy_get_long(easy, info, &value))
        return value
    }

    /// libcurl's words on this transfer, or else on the code.
    private func text(_ code: CURLcode) -> String {
        let text = String(cString: errorText)
        return text.isEmpty ? String(cString: curl_easy_strerror(code)) : text
    }
}
