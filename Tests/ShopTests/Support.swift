// The parts of a shop, its clients and the waits, in every file of these tests.
@_exported import ShopParts
