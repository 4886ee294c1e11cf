import FoundationEssentials
import Testing

/// What is at the address that `script/server` prints.
@Suite struct StartPages {
    private let shop: Shop

    init() throws { shop = try Shop() }

    @Test func `it is for this machine, and nothing in it may come from elsewhere`() throws {
        for host in ["127.0.0.1:\(shop.port)", "localhost"] {
            let page = try shop.get("/", ["Host": host])
            #expect(page.status == 200 && page["Content-Type"] == "text/html; charset=utf-8")
            let policy = try #require(page["Content-Security-Policy"])
            #expect(policy.hasPrefix("default-src 'none'") && !policy.contains("unsafe"))
            for trace in ["//www", "https:", " src=", "onclick", "style=\""] {
                #expect(!page.text.contains(trace), "\(trace)")
            }
        }
        #expect(try shop.request("HEAD", "/").status == 200)
        for fields in [["X-Client": "192.0.2.1"], ["X-Forwarded-For": "127.0.0.1"]] {
            for path in ["/", "/README.md"] {
                try expectProblem(try shop.get(path, fields), 404, "NOT_FOUND", nil, "\(path)")
            }
        }
        let posted = try shop.request("POST", "/", body: [])
        try expectProblem(posted, 405, "METHOD_NOT_ALLOWED")
    }

    @Test func `its requests are true as they are written, and its links lead somewhere`() throws {
        let browser = try Browser()
        let address = "http://127.0.0.1:\(shop.port)"
        try browser.open("\(address)/")
        let requests = try browser.text(
            "[...document.querySelectorAll('#requests code')].map((c) => c.textContent).join('\\n')"
        ).split(separator: "\n").map(String.init)
        #expect(requests.count == 5)
        var outputs: [String] = []
        for request in requests {
            #expect(request.contains(address), "\(request)")
            let options = "curl --silent --fail --noproxy '*' "
            let done = try Finished(
                ["bash", "-c", request.replacing("curl ", with: options)], in: shop.folder)
            #expect(done.status == 0, "\(request): \(done.errors)")
            outputs.append(done.output)
        }
        #expect(outputs[0] == balance(of25: "100,000"))
        #expect(outputs[2] == balance(of25: "150,000"))
        #expect(outputs[3].contains("orderId") && outputs[4].contains("PAID"))
        let links = try browser.text(
            "[...document.links].map(({ href }) => href).join(' ')"
        ).split(separator: " ")
        #expect(links.count == 3)
        for link in links {
            let answer = try shop.get(String(link.dropFirst(address.count)))
            #expect(answer.status == 200 && !answer.body.isEmpty, "\(link)")
        }
        #expect(try shop.get("/README.md")["Content-Type"] == "text/plain; charset=utf-8")
        let buttons = "document.querySelectorAll('#requests button').length"
        #expect(try browser.text(buttons) == "5")
        for screen in Browser.Screen.all {
            try browser.show(on: screen)
            try browser.wait(for: "innerWidth == \(screen.width)")
            #expect(
                try browser.text("document.documentElement.scrollWidth <= innerWidth") == "true")
            #expect(try browser.text(unreadable) == "", "\(screen.name)")
            try keep(try browser.screenshot(), as: "start-\(screen.name)")
        }
        #expect(browser.complaints == [])
    }
}
