import FastCGI
import StrictJSON

extension Request {
    /// Reads the one object of a body of the customer's form: in an array, or bare.
    ///
    /// - Parameter form: what is expected, as a sentence for the client.
    /// - Throws: a problem that names the member that is not as it should be.
    func readBody<Content>(
        expecting form: String, _ read: (JSONValue) throws(JSONMismatch) -> Content
    ) throws(Problem) -> Content {
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue(reading: body)
        } catch {
            throw .malformed("The body cannot be read: \(error). \(form)")
        }
        guard let object = document.customersObject else {
            throw .malformed("The body is not an array of one object. \(form)")
        }
        do throws(JSONMismatch) {
            return try read(object)
        } catch {
            throw .malformed("\(error). \(form)")
        }
    }
}

extension JSONValue {
    /// Nil where there is none, or where there are several.
    fileprivate var customersObject: JSONValue? {
        if isObject { return self }
        guard let elements = try? elements(), elements.count == 1, elements[0].isObject
        else { return nil }
        return elements[0].asBase
    }
}
