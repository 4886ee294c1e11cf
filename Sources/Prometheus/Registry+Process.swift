import Glibc

extension Registry {
    /// Shows what the kernel knows of this process, as every Prometheus client library does:
    /// memory, descriptors, processor time and start, under `PREFIX_process_…`.
    public func observeProcess(prefix: String) {
        let name = prefix + "_process"
        let start = Process.startSeconds
        observe(.gauge, "\(name)_start_time_seconds") { start }
        observe(.gauge, "\(name)_resident_memory_bytes") { Process.residentBytes }
        observe(.counter, "\(name)_cpu_seconds_total") { Process.processorSeconds }
        observe(.gauge, "\(name)_open_fds") { Process.openDescriptors }
        observe(.gauge, "\(name)_max_fds") { Process.descriptorsMax }
    }
}

/// This process, as Linux shows it in `/proc`.
private enum Process {
    static var residentBytes: Double? {
        let pages = contents(of: "/proc/self/statm").split(separator: " ").dropFirst().first
        return pages.flatMap { Double($0) }.map { $0 * Double(sysconf(Int32(_SC_PAGESIZE))) }
    }

    static var processorSeconds: Double? {
        var usage = rusage()
        guard getrusage(RUSAGE_SELF.rawValue, &usage) == 0 else { return nil }
        return [usage.ru_utime, usage.ru_stime].reduce(0) {
            $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1_000_000
        }
    }

    static var openDescriptors: Double? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return Double(count - 3)  // Itself, and the two entries that every folder has.
    }

    static var descriptorsMax: Double? {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(kind, &limit) == 0 else { return nil }
        return limit.rlim_cur == .max ? .infinity : Double(limit.rlim_cur)
    }

    /// Since 1970. The kernel counts in ticks from the machine's start.
    static var startSeconds: Double? {
        // The name, in parentheses, may hold anything.
        let fields = contents(of: "/proc/self/stat").split(separator: ")").last?
            .split(separator: " ")
        let boot = contents(of: "/proc/stat").split(separator: "\n")
            .first { $0.hasPrefix("btime ") }?.dropFirst("btime ".count)
        guard let fields, fields.count > 19, let ticks = Double(fields[19]),
            let boot = boot.flatMap({ Double($0) })
        else { return nil }
        return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Empty where it cannot be read.
    private static func contents(of path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes: [UInt8] = []
        let whole = 1 << 16  // `/proc/stat` of a large machine.
        while bytes.count < whole {
            let chunk = [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
                count = max(0, read(file, buffer.baseAddress, buffer.count))
            }
            if chunk.isEmpty { break }
            bytes += chunk
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
