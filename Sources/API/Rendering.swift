import Commerce
public import Store

extension Renderer {
    /// The customer's documents: arrays of objects.
    public static let customer = Renderer(
        product: { product in JSON.array([.product(product)]).bytes },
        bestSellers: { sellers in JSON.array(sellers.map(JSON.bestSeller)).bytes },
        receipt: { receipt in
            let document: JSON =
                switch receipt {
                case .charged(let user): .balance(user)
                case .ordered(let id): .object([("orderId", .string("\(id)"))])
                case .canceled(let id):
                    .object([
                        ("orderId", .string("\(id)")),
                        ("status", .string(PlacedOrder.Status.canceled.rawValue)),
                    ])
                }
            return StoredAnswer(status: 200, body: JSON.array([document]).bytes)
        })
}

extension JSON {
    static func balance(_ user: User) -> JSON {
        .object([
            ("userId", .number(user.id.number)), ("name", .string(user.name)),
            ("hpNo", .string(user.phone)), ("amount", .string(user.points.grouped)),
        ])
    }

    static func product(_ product: Product) -> JSON {
        .object([
            ("id", .number(product.id.number)), ("name", .string(product.name)),
            ("price", .number(product.price.amount)), ("stock", .number(product.stock)),
        ])
    }

    fileprivate static func bestSeller(_ seller: BestSeller) -> JSON {
        .object([
            ("id", .number(seller.id.number)), ("name", .string(seller.name)),
            ("sale_count", .number(seller.unitsSold)),
        ])
    }

    static func shortage(_ shortage: Shortage) -> JSON {
        .object([
            ("id", .number(shortage.product.number)), ("requested", .number(shortage.requested)),
            ("available", .number(shortage.available)),
        ])
    }
}
