import FoundationEssentials
import Testing

@testable import MariaDB

/// The table that sorts the server's errors.
@Suite struct ErrorKinds {
    private typealias Kind = DatabaseError.Kind

    /// The header of the library that this is built with names the server's errors.
    private static let header = String(
        decoding: FileManager.default.contents(atPath: "/usr/include/mariadb/mysqld_error.h")
            ?? Data(), as: UTF8.self)

    @Test func `each error of the table has the number that MariaDB gives to its name`() {
        let lines = Set(Self.header.split(separator: "\n").map(String.init))
        for (kind, errors) in Kind.serverErrors {
            for error in errors {
                #expect(lines.contains("#define \(error.name) \(error.code)"), "\(error)")
                #expect(Kind(code: error.code) == kind, "\(error)")
            }
        }
        let codes = Kind.serverErrors.flatMap(\.errors).map(\.code)
        #expect(Set(codes).count == codes.count && codes.count > 70)
    }

    @Test func `an error of the table ends the session, is a defect, or neither, by its kind`() {
        let kinds: [Kind: (endsSession: Bool, isDefect: Bool)] = [
            .lostRace: (false, false), .duplicateKey: (false, true),
            .connectionLost: (true, false), .sessionUnfit: (true, false),
            .unavailable: (true, false), .busy: (false, false), .refused: (false, true),
            .other: (false, true),
        ]
        for kind in Kind.allCases {
            #expect(kind.endsSession == kinds[kind]?.endsSession, "\(kind)")
            #expect(kind.isDefect == kinds[kind]?.isDefect, "\(kind)")
        }
    }

    @Test(
        arguments: [
            (1045, .sessionUnfit), (1044, .sessionUnfit), (1130, .sessionUnfit),
            (1142, .sessionUnfit), (1143, .sessionUnfit), (1370, .sessionUnfit),
            (1820, .sessionUnfit),
            (1862, .sessionUnfit), (4151, .sessionUnfit), (1040, .unavailable),
            (1047, .unavailable),
            (1053, .unavailable), (1180, .unavailable), (1290, .unavailable), (1836, .unavailable),
            (1969, .busy), (1317, .busy), (1064, .other), (1146, .other), (1390, .other),
            (0, .other),
            (2013, .connectionLost), (2006, .connectionLost), (5014, .connectionLost),
        ] as [(UInt32, DatabaseError.Kind)])
    func `an error that an operator may meet is sorted as the README says`(
        code: UInt32, kind: DatabaseError.Kind
    ) {
        #expect(DatabaseError(code: code, sqlState: "HY000", message: "").kind == kind)
    }
}
