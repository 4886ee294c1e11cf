import MariaDB

extension Row {
    /// What a row is guarded by: a number that can always grow by one.
    func version(_ column: Int) throws(DatabaseError) -> Int64 {
        try integer(column, in: 0...Int64.max - 1)
    }
}
