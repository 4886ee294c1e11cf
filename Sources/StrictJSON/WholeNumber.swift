/// A number without a fraction, of any size.
public enum WholeNumber: Equatable, Sendable {
    case fits(Int64)
    /// Less than any `Int64`.
    case tooSmall
    /// More than any `Int64`.
    case tooLarge

    /// The number itself, where it fits.
    public var exact: Int64? {
        if case .fits(let number) = self { number } else { nil }
    }

    /// The nearest number that fits, for ranges that end long before.
    public var nearest: Int64 {
        switch self {
        case .fits(let number): number
        case .tooSmall: .min
        case .tooLarge: .max
        }
    }
}

extension WholeNumber {
    /// Beyond any count of digits that a text can have, and far from where sums overflow.
    private static let exponentMax = 1 << 32
    /// Of an `Int64`.
    private static let digitsMax = 19

    /// Judges the digits of a number as they are written: `Double` would round them. As for
    /// JSON Schema's `integer`, it does not matter how a number is written: `1e3`, `1000.0` and
    /// `1000` are one number.
    ///
    /// - Parameter number: of JSON's grammar.
    /// - Returns: nil for a number with a fraction.
    init?(_ number: ArraySlice<UInt8>) {
        let isNegative = number.first == UInt8(ascii: "-")
        let mantissa = number.dropFirst(isNegative ? 1 : 0).prefix {
            $0 | 0x20 != UInt8(ascii: "e")
        }
        let whole = mantissa.prefix { $0 != UInt8(ascii: ".") }
        let exponent = Self.exponent(number[mantissa.endIndex...].dropFirst())
        var digits = whole + mantissa.dropFirst(whole.count + 1)
        let zero = UInt8(ascii: "0")
        let leadingZeros = digits.prefix { $0 == zero }.count
        digits.removeFirst(leadingZeros)
        while digits.last == zero { digits.removeLast() }
        // The number is 0.digits times ten to the power of `size`.
        let size = whole.count - leadingZeros + exponent
        if digits.isEmpty {
            self = .fits(0)
        } else if digits.count > size {
            return nil
        } else if size > Self.digitsMax {
            self = isNegative ? .tooSmall : .tooLarge
        } else {
            self = Self.sum(digits, size: size, isNegative: isNegative)
        }
    }

    private static func sum(
        _ digits: ArraySlice<UInt8>, size: Int, isNegative: Bool
    ) -> WholeNumber {
        // Nineteen nines fit 64 bits without a sign.
        var magnitude: UInt64 = 0
        for digit in digits { magnitude = magnitude * 10 + UInt64(digit & 0x0F) }
        for _ in digits.count..<size { magnitude *= 10 }
        if isNegative {
            guard magnitude <= Int64.min.magnitude else { return .tooSmall }
            return .fits(Int64(truncatingIfNeeded: 0 &- magnitude))
        }
        return Int64(exactly: magnitude).map(WholeNumber.fits) ?? .tooLarge
    }

    /// - Parameter text: digits after a sign, or nothing.
    private static func exponent(_ text: ArraySlice<UInt8>) -> Int {
        var exponent = 0
        for byte in text where byte & 0xF0 == 0x30 {
            exponent = min(exponent * 10 + Int(byte & 0x0F), exponentMax)
        }
        return text.first == UInt8(ascii: "-") ? -exponent : exponent
    }
}
