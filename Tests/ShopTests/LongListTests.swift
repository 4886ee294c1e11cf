import Commerce
import FoundationEssentials
import MariaDB
import Testing

@testable import Store

/// Lists in SQL are longer than the 65,535 places that one statement may have.
@Suite struct LongLists {
    private let test: LedgerUnderTest
    private let pool: Pool

    init() throws {
        test = try LedgerUnderTest()
        pool = Pool(server: test.database.owner, size: 2, waitLimitMilliseconds: 5_000)
    }

    @Test(arguments: [1, 4_096, 4_097, 32_769, 70_000])
    func `products and users of a list of any length are found once`(count: Int) throws {
        let last = Int64(200 + count)
        let connection = try test.database.connect()
        try connection.execute(
            "INSERT INTO product (id, name, price) VALUES (?, 'last', 1)", [.integer(last)])
        let ids = (0..<count).map { last - Int64($0) }
        let names = try Notifications(pool: pool).names(
            users: Set((ids + [1, 100]).map { UserID($0) }),
            products: Set((ids + [25, 101]).map { ProductID($0) }))
        #expect(names.products.count == 3 && names.products[ProductID(last)] == "last")
        #expect(names.phones.keys.sorted() == [UserID(1), UserID(100)])
    }

    @Test func `of any number of events it is known which were told`() throws {
        let events = (0..<70_000).map { _ in UUID() }
        let told = [events[0], events[4_096], events[69_999]]
        try Notifications(pool: pool).record(told)
        #expect(try Notifications(pool: pool).sent(among: events) == Set(told))
    }
}
