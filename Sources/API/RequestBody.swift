import FastCGI
import FoundationEssentials

/// A request body of the customer's form: an array of one object, or the bare object.
struct RequestBody<Object: Decodable>: Decodable {
    let object: Object

    init(from decoder: any Decoder) throws {
        guard var array = try? decoder.unkeyedContainer() else {
            object = try Object(from: decoder)
            return
        }
        object = try array.decode(Object.self)
        guard array.isAtEnd else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "more than one object"))
        }
    }
}

extension Request {
    /// Decodes the body.
    ///
    /// - Parameter form: what is expected, as a sentence for the client.
    func decode<Object: Decodable>(
        _ type: Object.Type, expecting form: String
    ) throws(Problem) -> Object {
        // JSON is UTF-8 (RFC 8259, 8.1) and has no NUL. Foundation would guess at UTF-16 and 32.
        guard !body.contains(0), String(validating: body, as: UTF8.self) != nil else {
            throw .malformed("The body is not UTF-8 text.")
        }
        do {
            return try JSONDecoder().decode(RequestBody<Object>.self, from: Data(body)).object
        } catch {
            throw .malformed(form)
        }
    }
}

/// A whole number of any size. What does not fit 64 bits becomes the nearest that does: it is out
/// of every range that the shop knows, and gets the answer of that range.
struct WholeNumber: Decodable {
    let value: Int64

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Int64.self) {
            self.value = value
            return
        }
        let number = try container.decode(Double.self)
        guard number.isFinite, number.rounded() == number, abs(number) >= 0x1p63 else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "not a whole number")
        }
        value = number < 0 ? .min : .max
    }
}
