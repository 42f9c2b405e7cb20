/// A command of a transaction.
///
/// Adding an object that exists in the same form succeeds. Deleting or flushing one that does not exist fails with ENOENT, except for the table.
enum NFTCommand: Hashable, Sendable {
    case addTable
    /// With its contents; succeeds if it does not exist.
    case deleteTable
    case addChain(NFTChain)
    /// With its rules; fails with EBUSY while a rule jumps to it.
    case deleteChain(String)
    case flushChain(String)
    case addSet(NFTSet)
    /// Fails with EBUSY while a rule refers to it.
    case deleteSet(String)
    case addElements(set: String, [NFTElement])
    case deleteElements(set: String, [NFTElement])
    /// At the end of its chain.
    case addRule(NFTRule)
    case addCounter(String)
}

extension NFTCommand {
    /// The elements of a command that may take several messages.
    var elements: [NFTElement]? {
        switch self {
        case .addElements(_, let elements), .deleteElements(_, let elements): elements
        default: nil
        }
    }

    /// The command in words, for an error: as few as name the object, and one element.
    func description(element: Int?) -> String {
        switch self {
        case .addTable: "add table"
        case .deleteTable: "delete table"
        case .addChain(let chain): "add chain \(chain.name)"
        case .deleteChain(let name): "delete chain \(name)"
        case .flushChain(let name): "flush chain \(name)"
        case .addSet(let set): "add set \(set.name)"
        case .deleteSet(let name): "delete set \(name)"
        case .addElements(let set, let elements): "add \(NFTCommand.description(elements, element)) to set \(set)"
        case .deleteElements(let set, let elements): "delete \(NFTCommand.description(elements, element)) from set \(set)"
        case .addRule(let rule): "add rule to chain \(rule.chain)" + (rule.comment.map { " (\($0))" } ?? "")
        case .addCounter(let name): "add counter \(name)"
        }
    }

    private static func description(_ elements: [NFTElement], _ index: Int?) -> String {
        guard let index, elements.indices.contains(index) else { return "elements" }
        let element = elements[index]
        return "element " + element.key.hex + (element.keyEnd.map { "-" + $0.hex } ?? "")
    }
}
