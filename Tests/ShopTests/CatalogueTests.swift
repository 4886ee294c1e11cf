import Commerce
import Memcached
import Testing

@testable import Store

/// The cached pages of products under those who change them.
@Suite struct CataloguePages {
    private func page(_ version: Int64) -> Catalogue.Page {
        Catalogue.Page(
            version: Product.Version(stock: version, product: 0), body: Array("[\(version)]".utf8))
    }

    @Test func `a slow refresh cannot bring old stock back, and a new one is shown`() throws {
        let scratch = try ScratchFolder()
        let socket = "\(scratch.path)/memcached.sock"
        let server = try Part.memcached(at: socket, log: "\(scratch.path)/memcached.log")
        let memcached = Memcached(address: .socket(path: socket))
        let cached = { try memcached.get("product")?.value }
        try memcached.set("product", page(1).entry, expirySeconds: 600)
        let found = try memcached.gets("product")
        // A later order's, since the slow one has looked.
        try memcached.set("product", page(3).entry, expirySeconds: 600)
        try Catalogue.replace(found, at: "product", with: page(2), in: memcached)
        #expect(try cached() == page(3).entry)
        try Catalogue.replace(found, at: "product", with: page(4), in: memcached)
        #expect(try cached() == page(4).entry)
        withExtendedLifetime(server) {}
    }
}
