import Testing

@Suite struct Charging {
    private let shop: Shop

    init() throws { shop = try Shop() }

    private func charge(_ body: String, user: String = "25", key: String? = nil) throws -> Answer {
        try shop.post("/api/v1/users/\(user)/charge", body, key: key ?? TestRun.freshName("key"))
    }

    @Test func `a charge answers with the new balance`() throws {
        let answer = try charge(#"[{"chargeAmount": 50000}]"#)
        #expect(answer.status == 200)
        #expect(answer.text == balance(of25: "150,000"))
        #expect(answer["Content-Type"] == "application/json")
        #expect(answer["Cache-Control"] == "no-store")
        #expect(answer["Idempotent-Replayed"] == nil)
        #expect(try shop.get("/api/v1/users/25").text == answer.text)
        #expect(try shop.number("SELECT COUNT(*) FROM payment_history") == 1)
    }

    @Test func `a charge may be sent without the array`() throws {
        #expect(try charge(#"{"chargeAmount": 1000}"#).text == balance(of25: "101,000"))
    }

    @Test func `the bounds are allowed and what is beyond them is not`() throws {
        for amount in ["1000", "1000000"] {
            #expect(try charge("[{\"chargeAmount\": \(amount)}]").status == 200)
        }
        #expect(try shop.points(25) == 1_101_000)
        for amount in ["999", "1", "0", "-0", "-1", "-1000", "-9223372036854775809", "-1e30"] {
            try expectProblem(
                try charge("[{\"chargeAmount\": \(amount)}]"), 400, "CHARGE_BELOW_MINIMUM",
                "최소 충전 금액은 1,000원 입니다.", "\(amount)")
        }
        for amount in [
            "1000001", "9223372036854775807", "9223372036854775808", "99999999999999999999", "1e30",
        ] {
            try expectProblem(
                try charge("[{\"chargeAmount\": \(amount)}]"), 400, "CHARGE_ABOVE_MAXIMUM",
                "최대 충전 금액은 1,000,000원 입니다.", "\(amount)")
        }
        #expect(try shop.points(25) == 1_101_000)
    }

    @Test func `a charge without a key is refused`() throws {
        let path = "/api/v1/users/25/charge"
        try expectProblem(
            try shop.post(path, ShopTests.charge(1_000)), 400, "IDEMPOTENCY_KEY_MISSING",
            "멱등성 키가 누락되었습니다.")
        try expectProblem(
            try shop.post(path, ShopTests.charge(1_000), key: ""), 400, "IDEMPOTENCY_KEY_MISSING")
        #expect(try shop.points(25) == 100_000)
    }

    @Test func `nobody can be charged`() throws {
        for user in ["101", "0", "-1", "abc", "99999999999999999999"] {
            try expectProblem(
                try charge(ShopTests.charge(1_000), user: user), 404, "USER_NOT_FOUND",
                "존재하지 않는 유저입니다.", "\(user)")
        }
    }

    @Test func `an account that is full takes nothing more`() throws {
        try shop.execute("UPDATE users SET point = 1000000000000000 - 1000 WHERE id = 25")
        #expect(try charge(ShopTests.charge(1_000)).status == 200)
        #expect(try charge(ShopTests.charge(1_000)).status == 400)
        #expect(try shop.points(25) == 1_000_000_000_000_000)
    }
}
