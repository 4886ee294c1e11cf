import Glibc
import HTTPReceiver
import Testing

@testable import HTTPClient

@Suite struct Guard {
    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255",
        "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
        "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1",
        "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
        "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:1ff:ffff::1", "2001:db8::1", "2002:7f00:1::1",
        "3fff::1", "4000::1", "5f00::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1",
        "ff02::1",
    ])
    func `an address that is not one public host is none`(text: String) throws {
        #expect(try !#require(IPAddress(text)).isPublic)
    }

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
        "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2001:db7::1",
        "2001:db9::1", "2003::1", "2606:4700:4700::1111", "3ffe::1", "64:ff9b::8.8.8.8",
    ])
    func `every other address is public`(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.isPublic)
        #expect("\(address)" == (text == "64:ff9b::8.8.8.8" ? "64:ff9b::808:808" : text))
    }

    @Test(arguments: [
        "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1",
        "0", "[::ffff:127.0.0.1]",
    ])
    func `loopback is refused under all its names, before a connection`(host: String) throws {
        let receiver = try Receiver()
        let result = HTTPClient().send(.init(post: [], to: "http://\(host):\(receiver.port)/"))
        guard case .failure(.addressRefused) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(receiver.connectionsMade == 0)
    }

    @Test func `a kept connection of a client that may does not help one that may not`() throws {
        let receiver = try Receiver()
        let client = HTTPClient(.unguarded())
        _ = try client.send(.init(post: [], to: receiver.url)).get()
        let result = HTTPClient().send(.init(post: [], to: receiver.url))
        #expect(result == .failure(.addressRefused("127.0.0.1")))
        #expect(receiver.connectionsMade == 1)
    }
}
