import Testing

@testable import Commerce

@Suite struct Charges {
    @Test func `a charge adds its amount to the points and is written with one payment`() throws {
        let plan = TestShop([user(25, points: 100_000, version: 7)]).plan(try charge(25, 50_000))
        let charged = user(25, points: 150_000, version: 7)
        #expect(plan.outcomes == [.accepted(.charged(charged))])
        #expect(plan.writes.users == [UserID(25): charged])
        #expect(
            plan.writes.payments == [
                Payment(
                    id: PaymentID(7_001), user: UserID(25), amount: Won(50_000), purpose: .charge)
            ])
        #expect(plan.writes.orders.isEmpty && plan.writes.products.isEmpty)
        #expect(plan.writes.unitsSold.isEmpty && plan.writes.keys.isEmpty)
        #expect(!plan.writes.isEmpty)
    }

    @Test func `a charge of an unknown user is refused`() throws {
        let plan = TestShop([user(1, points: 0)]).plan(try charge(2, 1_000))
        #expect(plan.outcomes == [.refused(.unknownUser)])
        #expect(plan.writes.isEmpty)
    }

    @Test func `a charge may fill the balance to its maximum`() throws {
        let full = Won.maximumBalance.amount
        let shop = TestShop([user(1, points: full - 1_000)])
        #expect(
            shop.outcome(try charge(1, 1_000)) == .accepted(.charged(user(1, points: full))))
    }

    @Test func `a charge that exceeds the maximum balance by one won is refused`() throws {
        let full = Won.maximumBalance.amount
        let plan = TestShop([user(1, points: full - 999)]).plan(try charge(1, 1_000))
        #expect(plan.outcomes == [.refused(.chargeAboveMaximum)])
        #expect(plan.writes.isEmpty)
    }

    @Test func `charges of one user in one batch see one another`() throws {
        let plan = TestShop([user(1, points: 0, version: 4)]).plan(
            try charge(1, 1_000), try charge(1, 2_000), try charge(1, 3_000))
        #expect(
            plan.outcomes == [
                .accepted(.charged(user(1, points: 1_000, version: 4))),
                .accepted(.charged(user(1, points: 3_000, version: 4))),
                .accepted(.charged(user(1, points: 6_000, version: 4))),
            ])
        #expect(plan.writes.users == [UserID(1): user(1, points: 6_000, version: 4)])
        #expect(plan.writes.payments.map(\.amount) == [Won(1_000), Won(2_000), Won(3_000)])
        #expect(plan.writes.payments.map(\.id.number) == [7_001, 7_002, 7_003])
    }

    @Test func `charges that meet the maximum balance in the middle of a batch are refused`() throws
    {
        let full = Won.maximumBalance.amount
        let plan = TestShop([user(1, points: full - 2_500)]).plan(
            try charge(1, 2_000), try charge(1, 1_000), try charge(1, 1_000))
        #expect(
            plan.outcomes == [
                .accepted(.charged(user(1, points: full - 500))),
                .refused(.chargeAboveMaximum), .refused(.chargeAboveMaximum),
            ])
        #expect(plan.writes.users[UserID(1)]?.points == Won(full - 500))
    }
}
