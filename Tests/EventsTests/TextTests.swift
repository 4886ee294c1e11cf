import Commerce
import FoundationEssentials
import Testing

@testable import Events

/// A text for a buyer fits into what a provider takes, and says what was bought.
@Suite struct NotificationTexts {
    private static let family = "👨‍👩‍👧‍👦"

    private func notification(_ names: [String]) -> Notification {
        Notification(
            eventID: UUID(), occasion: .cancelled, orderID: OrderID(.max), user: UserID(1),
            phone: "",
            items: names.map { .init(name: $0, quantity: .max, amount: Won(.max)) },
            total: Won(.max))
    }

    /// As MariaDB may have them: 200 code points.
    private static let names = [
        String(repeating: "긴", count: 200), String(repeating: "한", count: 66) + "ab",
        String(repeating: family, count: 28), String(repeating: "\u{1D160}", count: 200),
        String(repeating: "\u{FB2C}", count: 200), "e" + String(repeating: "\u{301}", count: 199),
        String(repeating: "👍🏽", count: 100), "", "a", String(repeating: "🇰🇷", count: 100),
        "\u{1100}" + String(repeating: "\u{1161}", count: 199), String(repeating: "각", count: 66),
    ]

    @Test func `a text is never longer than a provider takes, whatever the names`() {
        for name in Self.names {
            for count in [1, 2, 3, 5, 8, 100] {
                let text = notification(Array(repeating: name, count: count)).text
                #expect(text.utf16.count <= 1_000 && text.unicodeScalars.count <= 1_000)
                #expect(text.hasSuffix("\n환불 금액: 9,223,372,036,854,775,807원"))
                #expect(
                    text.contains(
                        "\n- \(Notification.Item(name: name, quantity: 1, amount: Won(1)).name) "))
            }
        }
    }

    @Test func `a name is composed, and its variables are too`() {
        let decomposed = "\u{110B}\u{1163}\u{11BC}\u{1107}\u{1162}\u{110E}\u{116E} Cafe\u{301}"
        let notification = notification([decomposed, decomposed])
        let name = Array("양배추 Caf\u{E9}".unicodeScalars)
        #expect(Array(notification.items[0].name.unicodeScalars) == name)
        #expect(Array(notification.itemsInBrief.unicodeScalars.prefix(name.count)) == name)
        #expect(!notification.text.unicodeScalars.contains { (0x1100...0x11FF).contains($0.value) })
        // 200 syllables of three letters each fit whole.
        let long = String(repeating: "\u{1112}\u{1161}\u{11AB}", count: 200)
        #expect(
            Notification.Item(name: long, quantity: 1, amount: Won(1)).name.unicodeScalars.count
                == 200)
    }

    @Test func `a cut is between two characters where it can be`() {
        #expect("abcd".cut(toUTF16Units: 4) == "abcd" && "abcde".cut(toUTF16Units: 4) == "abc…")
        let families = String(repeating: Self.family, count: 5)  // Of 11 units each.
        #expect(families.cut(toUTF16Units: 55) == families)
        #expect(families.cut(toUTF16Units: 54) == String(repeating: Self.family, count: 4) + "…")
        #expect(families.cut(toUTF16Units: 12) == Self.family + "…")
        #expect(families.cut(toUTF16Units: 45) == String(repeating: Self.family, count: 4) + "…")
        // Longer than all the room, so it is cut within: between two code points, never two halves.
        let part = families.cut(toUTF16Units: 5)
        #expect(Array(part.unicodeScalars) == ["👨", "\u{200D}", "…"])
        #expect("👨👩".cut(toUTF16Units: 1) == "…")
    }
}
