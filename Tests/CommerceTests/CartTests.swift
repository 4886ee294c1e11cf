import Commerce
import Testing

@Suite struct Carts {
    @Test func `a cart without lines is malformed`() {
        #expect(throws: Malformed("An order has at least one product.")) { try Cart([]) }
    }

    @Test func `a hundred lines are allowed and one more is not`() throws {
        let lines = (1...101).map { line($0, 1) }
        #expect(try Cart(Array(lines.dropLast())).lines.count == 100)
        #expect(throws: Malformed("An order has at most 100 products.")) { try Cart(lines) }
    }

    @Test
    func `lines are counted as the request carries them, before those of one product are one`() {
        #expect(throws: Malformed.self) { try Cart(Array(repeating: line(1, 1), count: 101)) }
    }

    @Test(arguments: [Int64.min, -1, 0, 1_000_001, .max])
    func `a quantity outside one to a million is malformed`(quantity: Int64) {
        #expect(throws: Malformed("A quantity is a whole number from 1 to 1,000,000.")) {
            try Cart([line(1, 1), line(2, quantity)])
        }
    }

    @Test(arguments: [Int64(1), 1_000_000])
    func `one unit and a million are allowed`(quantity: Int64) throws {
        #expect(try Cart([line(1, quantity)]).lines == [line(1, quantity)])
    }

    @Test func `lines of one product become one line of the summed quantity, at the first's place`()
        throws
    {
        let cart = try Cart([line(2, 1), line(1, 4), line(2, 3), line(3, 1), line(1, 1)])
        #expect(cart.lines == [line(2, 4), line(1, 5), line(3, 1)])
    }

    @Test func `the lines of one product may together ask for more than one line may`() throws {
        let lines = Array(repeating: line(1, 1_000_000), count: 100)
        #expect(try Cart(lines).lines == [line(1, 100_000_000)])
    }

    @Test func `any number may name a product`() throws {
        let lines = [line(.min, 1), line(0, 1), line(-1, 1), line(.max, 1)]
        #expect(try Cart(lines).lines == lines)
    }
}
