import FoundationEssentials
import Glibc
import MariaDB
import Testing

/// The scripts as their operator types them, whatever is in the environment.
@Suite struct Scripts {
    /// What a caller's environment may say. None of it is about a private shop. Nobody listens on
    /// port 1.
    private static let strange: [[String]] = [
        ["MYSQL_HOST=127.0.0.1", "MYSQL_TCP_PORT=1", "MYSQL_UNIX_PORT=/nowhere", "MYSQL_PWD=x"],
        ["MYSQL_HOME=/nowhere", "MARIADB_HOME=/nowhere", "MYSQL_GROUP_SUFFIX=x"],
        ["DATA_SOURCE_NAME=x:y@tcp(127.0.0.1:1)/"],
        ["COMMERCE_DATABASE_USER_HOST=192.0.2.1", "COMMERCE_PROBE_SOCKET=/nowhere/probes"],
        ["COMMERCE_SOCKET=/nowhere", "COMMERCE_WORK_SOCKET=/nowhere", "COMMERCE_MEMCACHED=x:1"],
        [
            "COMMERCE_DATABASE_HOST=127.0.0.1", "COMMERCE_DATABASE_PORT=1",
            "COMMERCE_DATABASE_NAME=x", "COMMERCE_DATABASE_USER=x", "COMMERCE_DATABASE_PASSWORD=x",
            "COMMERCE_DATABASE_CA=/nowhere", "COMMERCE_DATABASE_SOCKET=/nowhere",
        ],
        ["CDPATH=/usr:/etc"], ["TMPDIR=/nowhere"], ["POSIXLY_CORRECT=1"], ["GREP_OPTIONS=-v"],
        ["BASH_ENV=/etc/hosts", "ENV=/etc/hosts"], ["SHELLOPTS=noglob:noexec"],
        ["BASHOPTS=extglob"],
        ["BASH_FUNC_say%%=() { exit 7; }", "BASH_FUNC_cd%%=() { exit 7; }"],
        ["LC_ALL=tr_TR.UTF-8", "LANG=tr_TR.UTF-8"], ["LC_ALL=xx_XX", "LANGUAGE=ko"], ["IFS=/"],
        ["http_proxy=http://127.0.0.1:1", "ALL_PROXY=http://127.0.0.1:1", "no_proxy="],
        ["CURL_HOME=/nowhere", "XDG_CONFIG_HOME=/nowhere", "CURL_CA_BUNDLE=/nowhere"],
        ["RABBITMQ_NODENAME=x@y", "ERL_FLAGS=-bad", "ERL_EPMD_PORT=1"],
        ["MEMCACHED_PORT_FILENAME=/nowhere/x", "NGINX=5;6;"], ["HOME=/nowhere"], ["-u", "HOME"],
        ["-u", "TERM", "-u", "USER", "-u", "LANG"], ["LD_PRELOAD=", "MALLOC_PERTURB_=7"],
    ]

    /// All of it at once, but for what would contradict something else.
    private static let everything = ["env"] + strange.flatMap { $0.first == "-u" ? [] : $0 }

    private static let noShop = "no database runs in /nowhere/run; script/server starts one\n"

    @Test(arguments: strange)
    func `a caller's environment changes nothing`(_ environment: [String]) throws {
        let scratch = try ScratchFolder()
        let run = try Finished(
            ["env"] + environment + ["\(TestRun.repository)/script/sql", "--execute", "SELECT 1"],
            settings: ["COMMERCE_RUN_DIR": "/nowhere/run"], in: scratch.path)
        #expect(run.status == 1)
        // bash itself warns of a locale that is not there, before the first line of a script.
        let said = run.errors.split(separator: "\n").filter { !$0.contains("setlocale") }
        #expect(said == ["sql: \(Self.noShop.dropLast())"])
        #expect(run.output == "")
    }

    @Test(arguments: [
        "umask 000", "umask 077", "cd /", "exec <&-", "exec 5<&0 <&-", "ulimit -c 0",
        "ln -s \"$1\" \"$PWD/link\"; set -- \"$PWD/link\"", "trap '' HUP", "set -o noclobber",
    ])
    func `a caller's shell changes nothing`(_ setup: String) throws {
        let scratch = try ScratchFolder()
        let run = try Finished(
            [
                "bash", "-c", "cd \"$2\"; \(setup); exec \"$1\" -e 'SELECT 1'", "bash",
                "\(TestRun.repository)/script/sql", scratch.path,
            ], settings: ["COMMERCE_RUN_DIR": "/nowhere/run"], in: scratch.path)
        #expect(run.status == 1)
        #expect(run.errors.hasSuffix(Self.noShop), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1)
    }

    @Test func `a shop runs whoever starts it, and its files are its owner's alone`() throws {
        let link = try ScratchFolder()
        let script = "\(link.path)/start"
        try FileManager.default.createSymbolicLink(
            atPath: script, withDestinationPath: "\(TestRun.repository)/script/server")
        let setup = ["bash", "-c", "umask 000; cd /; exec \"$@\" <&-", "bash"]
        // The program is all that it needs: no Swift, for one.
        let path = "PATH=/usr/bin:/bin"
        let shop = try PrivateShop(launcher: setup + Self.everything + [path], script: script)
        try shop.awaitReady()
        #expect(shop.takesOrder())
        let strange = Self.everything
        let count = try shop.run("sql", "-Ne", "SELECT COUNT(*) FROM orders", launcher: strange)
        #expect(count.status == 0 && count.output == "1\n", "\(count)")
        // It finds the program that script/server runs.
        let audit = try shop.run("commerce", "audit", launcher: strange)
        #expect(audit.output.hasPrefix("audit: nothing is wrong"), "\(audit)")
        let users = try shop.run(
            "sql", "-Ne", "SELECT host FROM mysql.user WHERE user = 'commerce'")
        #expect(users.output == "localhost\n")

        let open = try Finished(
            ["find", shop.folder, "-perm", "/002", "-not", "-type", "l", "-not", "-type", "s"],
            in: shop.scratch.path)
        #expect(open.output == "")
        for (name, pid) in shop.parts() where name != "nginx" {  // It writes its title over them.
            let names = contents(of: "/proc/\(pid)/environ").split(separator: "\0")
                .map { String($0.prefix { $0 != "=" }) }.filter { !$0.hasPrefix("COMMERCE_") }
            let known: Set = [
                "HOME", "LC_ALL", "LOGNAME", "MALLOC_ARENA_MAX", "PATH", "TERM", "USER",
            ]
            #expect(Set(names).isSubset(of: known), "\(name): \(names)")
        }
    }

    // MARK: - The run folder

    private func start(in folder: String, launcher: [String] = []) throws -> Finished {
        let scratch = try ScratchFolder()
        return try Finished(
            launcher + ["\(TestRun.repository)/script/server"],
            settings: [
                "COMMERCE_RUN_DIR": folder, "COMMERCE_BINARY": "/bin/false",
                "COMMERCE_HTTP_PORT": "\(freePort())",
            ], in: scratch.path)
    }

    private func expectRefusal(
        of folder: String, _ words: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let run = try start(in: folder)
        #expect(run.status == 1, sourceLocation: sourceLocation)
        #expect(
            run.errors.contains(words) && run.errors.contains("COMMERCE_RUN_DIR"), "\(run.errors)",
            sourceLocation: sourceLocation)
        #expect(run.errors.split(separator: "\n").count == 1, sourceLocation: sourceLocation)
    }

    @Test func `a run folder that others could change is refused`() throws {
        let scratch = try ScratchFolder()
        let folder = "\(scratch.path)/run"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        for mode: mode_t in [0o777, 0o770, 0o720, 0o702] {
            #expect(chmod(folder, mode) == 0)
            try expectRefusal(of: folder, "others may write to the run folder")
        }
        #expect(chmod(folder, 0o700) == 0)
        #expect(chmod(scratch.path, 0o777) == 0)
        try expectRefusal(of: folder, "anybody may replace the run folder")
        #expect(chmod(scratch.path, 0o700) == 0)
        // Root may give it away; nobody else may have a folder of root's.
        if getuid() == 0 { #expect(chown(folder, 54_321, 54_321) == 0) }
        try expectRefusal(of: getuid() == 0 ? folder : "/usr", "belongs to another user")
    }

    @Test func `a lock that is a link is refused, and what it leads to is left alone`() throws {
        let scratch = try ScratchFolder()
        let (folder, treasure) = ("\(scratch.path)/run", "\(scratch.path)/treasure")
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        #expect(chmod(folder, 0o700) == 0)
        try Data("gold".utf8).write(to: URL(filePath: treasure))
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder)/lock", withDestinationPath: treasure)
        try expectRefusal(of: folder, "lock is a link")
        #expect(contents(of: treasure) == "gold")
    }

    @Test(arguments: ["a:b", "a b", "a;b", "a'b", "a#b", "a{b", "a&b", "a|b"])
    func `a path that some part would misread is refused`(_ name: String) throws {
        let scratch = try ScratchFolder()
        try expectRefusal(of: "\(scratch.path)/\(name)", "may have no blanks, colons")
        #expect(access("\(scratch.path)/\(name)", F_OK) != 0)
    }

    @Test func `a user without a name is told so`() throws {
        // Where everybody may read it, unlike the folder of the run.
        let copy = "/tmp/" + TestRun.freshName("commerce-scripts-")
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try FileManager.default.copyItem(
            atPath: "\(TestRun.repository)/script", toPath: "\(copy)/script")
        #expect(chmod(copy, 0o755) == 0)
        let user =
            getuid() == 0
            ? ["setpriv", "--reuid", "54321", "--clear-groups"]
            : ["unshare", "--user", "--map-user", "54321"]
        let scratch = try ScratchFolder()
        let run = try Finished(
            user + ["\(copy)/script/server"], settings: ["COMMERCE_RUN_DIR": "/tmp/nobody"],
            in: scratch.path)
        #expect(run.status == 1)
        #expect(run.errors.contains("user 54321 has no name on this machine"), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1)
    }

    // MARK: - sql/

    @Test(arguments: [
        ["migrate.sh", "--status"], ["service-user.sh"], ["exporter-user.sh"],
        ["bulk.sh", "1", "10"],
    ])
    func `a script of sql goes to the server that its options name`(_ words: [String]) throws {
        let scratch = try ScratchFolder()
        let database = try ShopDatabase(in: scratch.path)
        let script = "\(TestRun.repository)/sql/\(words[0])"
        let name = words[0] == "exporter-user.sh" ? [] : [database.name]
        let elsewhere = [
            "env", "MYSQL_HOST=127.0.0.1", "MYSQL_TCP_PORT=1", "MARIADB_HOST=127.0.0.1",
        ]
        let settings = [
            "COMMERCE_DATABASE_USER": database.user,
            "COMMERCE_DATABASE_PASSWORD": database.password,
            "COMMERCE_EXPORTER_USER": database.user + "_x",
            "COMMERCE_EXPORTER_PASSWORD": "0123456789abcdef",
        ]
        let here = try ShopDatabase.options(of: TestRun.mariadbSocket.get())
        let run = try Finished(
            elsewhere + [script] + words.dropFirst() + here + name, settings: settings,
            in: scratch.path)
        #expect(run.status == 0, "\(run.errors)")
        let lost = try Finished(
            elsewhere + [script] + words.dropFirst() + name, settings: settings, in: scratch.path)
        #expect(lost.status == 1)
        #expect(
            lost.errors
                == "\(words[0]): MYSQL_HOST is not read; --host or --socket names the server\n")
        _ = try? database.connect().execute("DROP USER IF EXISTS \(database.user)_x@localhost")
    }

    // MARK: - Small things that an operator meets

    @Test func `help needs no shop`() throws {
        let scratch = try ScratchFolder()
        let settings = [
            "COMMERCE_RUN_DIR": "\(scratch.path)/none", "COMMERCE_BINARY": TestRun.commerce,
        ]
        let names = [
            "bench", "bootstrap", "commerce", "faults", "fuzz", "mutations", "rabbitmq", "server",
            "sql", "test", "try-bare",
        ]
        for name in names {
            let run = try Finished(
                ["\(TestRun.repository)/script/\(name)", "--help"], settings: settings,
                in: scratch.path)
            #expect(run.status == 0 && run.output.hasPrefix("Usage: script/\(name)"), "\(run)")
        }
        let run = try Finished(
            ["\(TestRun.repository)/script/commerce", "events", "list", "--help"],
            settings: settings, in: scratch.path)
        #expect(run.status == 0 && run.output.contains("--state"), "\(run)")
    }

    @Test func `Ctrl-C while it builds ends it without a word`() throws {
        let scratch = try ScratchFolder()
        let clone = "\(scratch.path)/clone"
        let cloned = try Finished(
            ["git", "clone", "--quiet", TestRun.repository, clone], in: scratch.path)
        try #require(cloned.status == 0, "\(cloned.errors)")
        // What is not committed yet, too.
        let copied = try Finished(
            ["cp", "-r", "\(TestRun.repository)/script", clone], in: scratch.path)
        try #require(copied.status == 0, "\(copied.errors)")
        let shop = try PrivateShop(script: "\(clone)/script/server", binary: nil)
        let isBuilding = eventually(within: PrivateShop.patienceSeconds, pauseMilliseconds: 20) {
            shop.server.ended != nil || shop.parts().keys.contains("swift-build") ? true : nil
        }
        #expect(isBuilding == true)
        usleep(500_000)  // It has set itself up for signals by now.
        shop.server.signalAll(SIGINT)
        #expect(shop.server.end(within: PrivateShop.patienceSeconds) == 130)
        #expect(!shop.log.contains("failed") && !shop.log.contains("server:"), "\(shop.log)")
    }

    @Test func `the progress of the tests hides none of their lines`() throws {
        let scratch = try ScratchFolder()
        let said = """
            ◇ Test `one thing`() started.
            ✔ Test `one thing`() passed after 0.001 seconds.
            ✔ Test case passing 1 argument word → "a" to `words`(_:) passed after 0.1 seconds.
            ✘ Test `the other`() failed after 0.002 seconds with 1 issue.
            ✔ Suite Things passed after 0.003 seconds.
            ✔ Test run with 2 tests in 1 suite passed after 0.003 seconds.

            """
        for (total, done) in [("0", ["[1]", "[2]"]), ("7", ["[1 of 7]", "[2 of 7]"])] {
            let run = try Finished(
                [
                    "bash", "-c", #"printf %s "$1" | awk -v total="$2" -f "$3""#, "bash", said,
                    total, "\(TestRun.repository)/script/progress.awk",
                ], in: scratch.path)
            let expected = said.replacing("✔ Test `one", with: "\(done[0]) ✔ Test `one")
                .replacing("✘", with: "\(done[1]) ✘")
            #expect(run.output == expected, "\(run.errors)")
        }
    }

    @Test func `a Swift that cannot start says why`() throws {
        let scratch = try ScratchFolder()
        let folder = scratch.path
        try Data("int gone(void) { return 0; }\n".utf8).write(to: URL(filePath: "\(folder)/gone.c"))
        try Data("int gone(void); int main(void) { return gone(); }\n".utf8)
            .write(to: URL(filePath: "\(folder)/swift.c"))
        // A program without one of its libraries.
        let made = try Finished(
            [
                "bash", "-c",
                """
                cd "$1" && clang -shared -fPIC -o libgone.so gone.c && \
                clang -o swift swift.c -L. -lgone && rm libgone.so
                """, "bash", folder,
            ], in: folder)
        try #require(made.status == 0, "\(made.errors)")
        let run = try Finished(
            ["env", "PATH=\(folder):/usr/bin:/bin", "\(TestRun.repository)/script/bootstrap"],
            in: folder)
        #expect(run.status == 1)
        #expect(run.errors.contains("\(folder)/swift does not start"), "\(run.errors)")
        #expect(run.errors.contains("libgone.so: cannot open shared object file"))
    }
}
