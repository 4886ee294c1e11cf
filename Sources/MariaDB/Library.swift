import CMariaDB

/// libmariadb's process-wide state.
enum Library {
    /// Initialised once, before the first session: `mysql_init` would do it on demand, but two
    /// threads doing so at once are a race inside the library. There is no matching end: sessions
    /// may live as long as the process. It also makes the process ignore SIGPIPE (and libmariadb
    /// sends with MSG_NOSIGNAL), so a server that went away is an error and not a signal.
    static let isReady: Bool = mysql_server_init(0, nil, nil) == 0
}
