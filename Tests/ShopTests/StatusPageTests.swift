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
    private static func startWorker(of shop: Shop) throws -> Part {
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
            ], log: "\(shop.folder)/worker.log")
        let answers = try eventually(within: 30) {
            try shop.get("/work/livez").status == 200 ? true : nil
        }
        if answers == nil { throw Failure("the worker: \(contents(of: worker.log))") }
        return worker
    }

    /// A cell of the table of figures.
    private static func figure(_ key: String) -> String {
        "document.querySelector('[data-figure=\(key)] td').textContent"
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
        #expect(try words("#audit-summary").hasPrefix("Ended "))
        // Sixty orders within the ten seconds, or the few since the page was opened, of a rate.
        #expect(try (0.1...60).contains(number("orders")))
        #expect(try number("requests") >= number("orders"))
        #expect(try number("failures") == 0)
        #expect(try number("batch") >= 1)
        #expect(try number("p99") >= number("p50"))
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

        shop.commerce.stop()
        try browser.wait(for: "document.body.className == 'stale'")
        #expect(try words("#verdict-text") == "The shop does not answer")
        #expect(try words("#parts").contains("MariaDB\nunknown"))
        #expect(try words("#about").contains("figures are"))
    }

    @Test func `its rates and quantiles are those that Prometheus would compute`() throws {
        try browser.open(address)
        let histogram = { (counts: [Int]) in
            zip(["0.1", "0.5", "1.0", "+Inf"], counts).map { bound, count in
                #"x_seconds_bucket{route="/a",le="\#(bound)"} \#(count)"#
            }.joined(separator: "\\n")
        }
        let earlier = #"parseMetrics('\#(histogram([5, 5, 5, 5]))\n\#(#"y_total{a="\\\\"}"#) 7\n')"#
        let later = #"parseMetrics('# TYPE x_seconds histogram\n\#(histogram([15, 35, 45, 55]))')"#
        let quantile = { (q: String) in
            try browser.text("quantile(\(q), \(earlier), \(later), 'x_seconds').toFixed(4)")
        }
        // Of 50 values 10 are up to 0.1, 20 up to 0.5, 10 up to 1, and 10 above.
        #expect(try quantile("0.1") == "0.0500")
        #expect(try quantile("0.5") == "0.4000")
        #expect(try quantile("0.7") == "0.7500")
        #expect(try quantile("0.99") == "1.0000")
        #expect(
            try browser.text("quantile(0.5, \(later), \(later), 'x_seconds')") == "undefined")
        #expect(try browser.text(#"sum(\#(earlier), 'y_total', ({ a }) => a === '\\')"#) == "7")
        #expect(try browser.text("sum(\(earlier), 'z_total')") == "undefined")
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
private let unreadable = """
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

/// Keeps a picture where `COMMERCE_TEST_SCREENSHOTS` says, if it does.
private func keep(_ picture: Data, as name: String) throws {
    guard let folder = TestRun.environment("COMMERCE_TEST_SCREENSHOTS") else { return }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try picture.write(to: URL(filePath: "\(folder)/\(name).png"))
}
