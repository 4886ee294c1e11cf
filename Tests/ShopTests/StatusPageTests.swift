import FoundationEssentials
import Testing

/// The status page as an operator meets it: in a browser, on a shop that is in use.
@Suite struct StatusPages {
    private let shop: Shop
    private let worker: Part
    private let browser: Browser
    private var address: String { "http://127.0.0.1:\(shop.port)/status" }

    init() throws {
        shop = try Shop(hasProxy: true)
        worker = try Self.startWorker(of: shop)
        browser = try Browser()
    }

    /// A worker that audits every second and goes to MariaDB directly, whose probes nginx passes on.
    private static func startWorker(
        of shop: Shop, _ settings: [String: String] = [:]
    ) throws -> Part {
        let worker = try Part(
            [TestRun.commerce, "work"],
            settings: [
                "COMMERCE_WORK_SOCKET": "\(shop.folder)/work.sock",
                "COMMERCE_DATABASE_SOCKET": try TestRun.mariadbSocket.get(),
                "COMMERCE_DATABASE_NAME": shop.database.name,
                "COMMERCE_DATABASE_USER": shop.database.user,
                "COMMERCE_DATABASE_PASSWORD": shop.database.password,
                "COMMERCE_NOTIFICATION_FILE": "\(shop.folder)/notifications.jsonl",
                "COMMERCE_AUDIT_INTERVAL": "1",
            ].merging(settings) { $1 }, log: "\(shop.folder)/worker.log")
        let answers = try eventually(within: 30) {
            try shop.get("/work/livez").status == 200 ? true : nil
        }
        if answers == nil { throw Failure("the worker: \(contents(of: worker.log))") }
        return worker
    }

    /// A figure of a chart.
    private static func figure(_ key: String) -> String {
        "document.querySelector('#charts [data-figure=\(key)]').textContent"
    }

    private func number(_ key: String) throws -> Double {
        let text = try browser.text("parseFloat(\(Self.figure(key)).replaceAll(',', ''))")
        return try #require(Double(text), "\(key) is \(text)")
    }

    private func words(_ selector: String) throws -> String {
        try browser.text("document.querySelector('\(selector)').innerText")
    }

    @Test func `it shows what is happening, on every screen and without a complaint`() throws {
        try browser.open(address)
        try browser.wait(for: "samples.length > 0")
        _ = try shop.crowd(60, threads: 4) { client, number in
            let product = number % 3 == 0 ? 102 : 101
            let answer = try client.post(
                "/api/v1/orders", order(2 + number % 50, [(product, 1)], paying: 2_000))
            #expect(answer.status == 200)
        }
        let late = try shop.post("/api/v1/orders", order(1, [(101, 1)], paying: 2_000))
        #expect(late.code == "INSUFFICIENT_POINTS")
        try browser.wait(for: "\(Self.figure("orders")) > 0 && \(Self.figure("refusals")) > 0")
        try browser.wait(for: "document.querySelector('#products tbody').innerText.includes('60')")
        try browser.wait(for: "document.querySelectorAll('#audit tbody tr').length > 0")

        #expect(try words("#verdict-text") == "All is well")
        #expect(try words("#about").hasSuffix("live"))
        #expect(try words("#parts").contains("MariaDB\nanswers"))
        #expect(try words("#parts").contains("memcached\nanswers"))
        #expect(try words("#parts").contains("Worker\nanswers"))
        #expect(try words("#parts").contains("Audit\nall is right"))
        #expect(try words("#parts").contains("RabbitMQ\nnot used"))
        #expect(try words("#parts").contains("Notifier\nnot used"))
        #expect(try words("#audit-summary").hasPrefix("Ended "))
        // Sixty orders within the ten seconds, or the few since the page was opened, of a rate.
        #expect(try (0.1...60).contains(number("orders")))
        #expect(try number("requests") >= number("orders"))
        #expect(try number("failures") == 0)
        #expect(try browser.text("samples.some(({ p50, p99 }) => p99 >= p50)") == "true")
        #expect(try words("#figures").contains("Deliveries given up\t0"))
        let best = try words("#products tbody tr")
        #expect(best.contains("양배추 샐러드") && best.contains("60") && best.contains("960"), "\(best)")

        for screen in Browser.Screen.all {
            try browser.show(on: screen)
            try browser.wait(for: "innerWidth == \(screen.width)")
            #expect(
                try browser.text("document.documentElement.scrollWidth <= innerWidth") == "true",
                "\(screen.name) scrolls sideways")
            #expect(try browser.text(unreadable) == "", "\(screen.name)")
            try keep(try browser.screenshot(), as: screen.name)
        }
        #expect(browser.complaints == [])
    }

    @Test func `it says what is down, and that its figures are old`() throws {
        try browser.open(address)
        try browser.wait(for: "document.querySelector('#verdict').className == 'good'")

        shop.killMemcached()
        try browser.wait(for: "document.querySelector('#verdict').className == 'warning'")
        #expect(try words("#problems").contains("memcached does not answer"))
        #expect(try words("#parts").contains("memcached\ndoes not answer"))

        try #require(shop.proxy).cut()
        try browser.wait(for: "document.querySelector('#verdict').className == 'bad'")
        #expect(try words("#problems").contains("MariaDB does not answer"))
        #expect(browser.complaints == [])

        try #require(shop.proxy).mend()
        try shop.restartMemcached()
        try browser.wait(for: "document.querySelector('#verdict').className == 'good'")

        try shop.execute("UPDATE users SET point = point + 1 WHERE id = 25")
        try browser.wait(for: "document.querySelector('#verdict').className == 'bad'")
        #expect(try words("#problems").contains("The audit found what is wrong: 1 row."))
        #expect(browser.complaints == [])

        worker.stop()
        try browser.wait(
            for: "document.querySelector('#parts').innerText.includes('Worker\\ndoes not')")
        try browser.wait(for: "document.querySelector('#verdict').className == 'bad'")
        #expect(try words("#problems").contains("The worker does not answer"))

        shop.commerce.stop()
        try browser.wait(for: "document.body.className == 'stale'")
        #expect(try words("#verdict-text") == "The shop does not answer")
        #expect(try words("#parts").contains("MariaDB\nunknown"))
        #expect(try words("#about").contains("figures are"))
    }

    @Test func `its quantiles are those that Prometheus would compute, its words those of people`()
        throws
    {
        try browser.open(address)
        let earlier = "{x: [5, 5, 5, 5], y: 7}"
        let later = "{x: [15, 35, 45, 55], y: 9, z: 3}"
        let quantile = { (q: String) in
            try browser.text("quantile(\(q), \(earlier), \(later), 'x', [0.1, 0.5, 1]).toFixed(4)")
        }
        // Of 50 values 10 are up to 0.1, 20 up to 0.5, 10 up to 1, and 10 above.
        #expect(try quantile("0.1") == "0.0500")
        #expect(try quantile("0.05") == "0.0250")
        #expect(try quantile("0.4") == "0.3000")
        #expect(try quantile("0.7") == "0.7500")
        #expect(try quantile("0.99") == "1.0000")
        for nothing in [
            "quantile(0.5, \(later), \(later), 'x', [0.1, 0.5, 1])", "growth({}, {}, 'y')",
            "quantile(0.5, {}, {}, 'x', [0.1, 0.5, 1])", "sum(parseMetrics('y 1'), 'z')",
        ] {
            #expect(try browser.text(nothing) == "undefined", "\(nothing)")
        }
        #expect(try browser.text("growth(\(earlier), \(later), 'y')") == "2")
        #expect(try browser.text("growth(\(earlier), \(later), 'z')") == "3")
        let scrape = #"parseMetrics('# TYPE y counter\ny{a="\\\\"} 7\ny{a="b"} 1\n')"#
        #expect(try browser.text(#"sum(\#(scrape), 'y', ({ a }) => a === '\\')"#) == "7")
        #expect(try browser.text("sum(\(scrape), 'y')") == "8")
        for (expression, words) in [
            ("share(0.00781)", "< 1 %"), ("share(0)", "0 %"), ("share(0.4999)", "50 %"),
            ("rate(0)", "0"), ("rate(0.01)", "< 0.1"), ("rate(3.14159)", "3.1"),
            ("rate(31.4159)", "31"), ("rate(12345.6)", "12,346"), ("duration(0.00123)", "1.2 ms"),
            ("duration(0.0456)", "46 ms"), ("duration(1.26)", "1.3 s"), ("duration(61)", "61 s"),
            ("duration(200)", "3 min 20 s"), ("bytes(41234567)", "39 MiB"),
        ] {
            #expect(try browser.text("write.\(expression)") == words, "\(expression)")
        }
    }

    @Test func `the first visit shows the minutes before it`() throws {
        for _ in 1...20 {
            _ = try shop.post("/api/v1/orders", order(25, [(101, 1)], paying: 2_000))
        }
        let states = try eventually(within: 60, pauseMilliseconds: 200) {
            let history = try shop.get("/status.json?after=0").decoded(StatusHistory.self).history
            let hasSeen = history.samples.filter { $0.accepted == 20 }.count > 2
            return hasSeen ? history.samples : nil
        }
        #expect(states?.first?.accepted == 0)
        let text = try shop.get("/status.json?after=0").text
        #expect(states?.last?.latency?.last ?? 0 >= 20, "\(text.suffix(900))")
        try browser.open(address)
        try browser.wait(for: "samples.length > 0")
        // All that was before the page was opened is there at once.
        #expect(try browser.text("samples.length >= \(try #require(states).count - 1)") == "true")
        #expect(try browser.text("samples.some(({ orders }) => orders > 0)") == "true")
        #expect(
            try browser.text("document.querySelectorAll('#charts .line').length > 5") == "true")
        #expect(browser.complaints == [])
    }

    @Test func `it says within seconds that RabbitMQ ended, and the notifier`() throws {
        worker.stop()
        let broker = try TestBroker()
        let own = try Self.startWorker(of: shop, ["COMMERCE_AMQP_URL": broker.url])
        let notifier = try Part(
            [TestRun.commerce, "notify"],
            settings: try shop.database.settings().merging([
                "COMMERCE_AMQP_URL": broker.url,
                "COMMERCE_NOTIFICATION_FILE": "\(shop.folder)/notifications.jsonl",
                "COMMERCE_NOTIFY_SOCKET": "\(shop.folder)/notify.sock",
            ]) { $1 }, log: "\(shop.folder)/notifier.log")
        try notifier.awaitLine("consuming")
        try browser.open(address)
        // Nothing was ever ordered, so nothing was ever published.
        try browser.wait(
            for: "document.querySelector('#parts').innerText.includes('RabbitMQ\\nanswers')")
        try browser.wait(for: "document.querySelector('#verdict').className == 'good'")
        #expect(try words("#parts").contains("Notifier\nanswers"))
        try keep(try browser.screenshot(), as: "with-rabbitmq")

        broker.killNow()
        try browser.wait(for: "document.querySelector('#verdict').className == 'warning'")
        #expect(try words("#problems").contains("RabbitMQ does not answer"))
        #expect(try words("#parts").contains("RabbitMQ\ndoes not answer"))
        try keep(try browser.screenshot(), as: "without-rabbitmq")
        notifier.stop()
        try browser.wait(
            for: "document.querySelector('#problems').innerText.includes('The notifier does not')")
        withExtendedLifetime(own) {}
    }

    @Test func `a shop in which nothing was ever sold has a page, too`() throws {
        try shop.execute("DELETE FROM sale_hourly")
        try shop.execute("DELETE FROM sale_window")
        try browser.open(address)
        try browser.wait(for: "document.querySelector('#verdict').className == 'good'")
        #expect(try words("#no-products") == "Nothing was sold in the last 72 hours.")
        // It has to be asked twice before anything can be said of a second.
        try browser.wait(for: "parseFloat(\(Self.figure("orders"))) === 0")
        #expect(browser.complaints == [])
    }

    @Test func `nothing in it may come from elsewhere, nor be put into it`() throws {
        let page = try shop.get("/status")
        #expect(page.status == 200)
        #expect(page["Content-Type"] == "text/html; charset=utf-8")
        let policy = try #require(page["Content-Security-Policy"])
        #expect(policy.hasPrefix("default-src 'none'; connect-src 'self'"))
        #expect(!policy.contains("unsafe"))
        for trace in ["//www", "https:", " src=", "onclick", "style=\""] {
            // What SVG is called is no address.
            let text = page.text.replacing("'http://www.w3.org/2000/svg'", with: "")
            #expect(!text.contains(trace), "\(trace)")
        }
        // A product's name is a text, whatever it looks like.
        try shop.execute("UPDATE product SET name = '<img src=x>' WHERE id = 101")
        try browser.open(address)
        try browser.wait(
            for: "document.querySelector('#products').innerText.includes('<img src=x>')")
        #expect(browser.complaints == [])
    }
}

/// Words that have less contrast with what is behind them than WCAG 2.2 wants (AA, 4.5), or that are
/// hidden. An expression whose value is empty where all is well.
let unreadable = """
    (() => {
      const channels = (color) => color.match(/[\\d.]+/g).map(Number);
      const luminance = (color) => channels(color).slice(0, 3)
        .map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
      const background = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const color = getComputedStyle(at).backgroundColor;
          if ((channels(color)[3] ?? 1) === 1) return color;
        }
        return 'rgb(255, 255, 255)';
      };
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const poor = [];
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const ink = element instanceof SVGElement ? style.fill : style.color;
        const [a, b] = [luminance(ink), luminance(background(element))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) poor.push(`${contrast.toFixed(2)}: ${walker.currentNode.data.trim()}`);
      }
      return poor.join('\\n');
    })()
    """

/// The part of `/status.json` that the charts are drawn from.
struct StatusHistory: Decodable {
    struct History: Decodable {
        struct Sample: Decodable {
            let time: Int64
            let accepted: Int
            let latency: [Int]?
        }
        let start: Int64
        let boundsSeconds: [Double]
        let samples: [Sample]
    }
    let history: History
}

/// Keeps a picture where `COMMERCE_TEST_SCREENSHOTS` says, if it does.
func keep(_ picture: Data, as name: String) throws {
    guard let folder = TestRun.environment("COMMERCE_TEST_SCREENSHOTS") else { return }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try picture.write(to: URL(filePath: "\(folder)/\(name).png"))
}
