internal import Model
internal import Reconciler

struct NFTablesSets: ~Copyable {
    init() throws(DataplaneError) {}
    borrowing func set(_ expected: AddressSet, _ family: IPFamily) throws(DataplaneError) -> AddressSet? { nil }
    borrowing func apply(_ operations: [Operation]) -> [OperationFailure] { [] }
}
