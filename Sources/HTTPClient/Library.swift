import CCurl
import Glibc

/// libcurl's process-wide state.
enum Library {
    /// Initialised once, before the first handle. There is no matching end: handles may live as
    /// long as the process. OpenSSL may write to a connection that its peer has closed, which is to
    /// be an error and not a signal.
    static let isReady: Bool = {
        signal(SIGPIPE, SIG_IGN)
        return curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
    }()
}
