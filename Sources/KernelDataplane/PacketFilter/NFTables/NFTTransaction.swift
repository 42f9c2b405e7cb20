internal import CNetlink
internal import Model
internal import Netlink

/// The messages of a transaction, and the command and elements that each one carries out.
struct NFTTransaction {
    /// The part of a command that a message carries out.
    struct Origin: Hashable {
        var command: Int
        /// Empty for a command without elements.
        var elements: Range<Int>
    }

    let commands: [NFTCommand]
    private let table: String
    private let family: IPFamily
    private(set) var batch = NetlinkBatch()
    /// Of each message.
    private(set) var origins: [Origin] = []

    /// The maximum length in bytes of the elements in a message: the length of a nest has 16 bits.
    static let elementBytesPerMessage = 32 * 1024

    /// The sequences of elements for one message each. No elements take no message: the kernel would delete all elements of the set.
    private static func chunks(_ elements: [NFTElement]) -> [Range<Int>] {
        var chunks: [Range<Int>] = []
        var start = 0
        var bytes = 0
        for (index, element) in elements.enumerated() {
            if index > start, bytes + element.byteCount > elementBytesPerMessage {
                chunks.append(start..<index)
                (start, bytes) = (index, 0)
            }
            bytes += element.byteCount
        }
        if start < elements.count { chunks.append(start..<elements.count) }
        return chunks
    }

    init(_ commands: [NFTCommand], table: String, _ family: IPFamily) throws(NetlinkError) {
        self.init(commands: commands, table: table, family: family)
        for (index, command) in commands.enumerated() {
            switch command {
            case .addElements(_, let elements), .deleteElements(_, let elements):
                for chunk in NFTTransaction.chunks(elements) { try add(command, Origin(command: index, elements: chunk)) }
            case .deleteTable:
                // Adding it first makes the deletion succeed if it does not exist.
                try add(.addTable, Origin(command: index, elements: 0..<0))
                try add(command, Origin(command: index, elements: 0..<0))
            default:
                try add(command, Origin(command: index, elements: 0..<0))
            }
        }
    }

    private init(commands: [NFTCommand], table: String, family: IPFamily) {
        self.commands = commands
        self.table = table
        self.family = family
    }

    private mutating func add(_ command: NFTCommand, _ origin: Origin) throws(NetlinkError) {
        let part =
            switch command {
            case .addElements(let set, let elements): NFTCommand.addElements(set: set, Array(elements[origin.elements]))
            case .deleteElements(let set, let elements): NFTCommand.deleteElements(set: set, Array(elements[origin.elements]))
            default: command
            }
        try batch.add(try part.message(table: table, family, setNumber: UInt32(origins.count + 1)))
        origins.append(origin)
    }

    /// The same transaction with each element of some messages in a message of its own, so that the kernel's errors name it; as many of the
    /// messages as the maximum length allows. Nil if that is none.
    ///
    /// - Parameter messages: indices.
    func divided(_ messages: some Collection<Int>, maximumBytes: Int) throws(NetlinkError) -> NFTTransaction? {
        var added = 0
        var selected: Set<Int> = []
        for index in messages.sorted() where origins[index].elements.count > 1 {
            added += origins[index].elements.count * (NFTTransaction.messageBytes + table.utf8.count + NFTTransaction.maximumSetName)
            guard batch.byteCount + added <= maximumBytes else { break }
            selected.insert(index)
        }
        guard !selected.isEmpty else { return nil }
        var divided = NFTTransaction(commands: commands, table: table, family: family)
        for (index, origin) in origins.enumerated() {
            var command = commands[origin.command]
            if case .deleteTable = command, index + 1 < origins.count, origins[index + 1] == origin { command = .addTable }
            if selected.contains(index) {
                for element in origin.elements {
                    try divided.add(command, Origin(command: origin.command, elements: element..<element + 1))
                }
            } else {
                try divided.add(command, origin)
            }
        }
        return divided
    }

    /// The headers of a message of elements, and of the names in it with their padding.
    fileprivate static let messageBytes = 20 + 4 + 8 + 8
    /// An estimate: names are the proxy's.
    fileprivate static let maximumSetName = 64

    /// The failures of commands for the errors of messages, in order.
    func failures(_ rejection: NetlinkRejection) -> [NFTTransactionError.Failure] {
        rejection.failures.sorted { $0.key < $1.key }.map { index, error in
            let origin = origins[index]
            let command = commands[origin.command]
            let element = origin.elements.count == 1 ? origin.elements.lowerBound : nil
            var failure = NFTTransactionError.Failure(
                commandIndex: origin.command, elementIndex: element, command: command.description(element: element), error: error)
            if case .addRule(let rule) = command, let offset = rejection.offsets[index] {
                failure.expression = expressionIndex(batch.message(index), offset).map { rule.expressions[$0] }
            }
            return failure
        }
    }

    /// The index of the expression at an offset of the message of a rule.
    private func expressionIndex(_ message: ArraySlice<UInt8>, _ offset: Int) -> Int? {
        // After nlmsghdr and nfgenmsg.
        let list = NFTAttributes(NetlinkAttributes(message.dropFirst(20)))[NFTA_RULE_EXPRESSIONS]
        return list.map { Array($0.nested) }?.firstIndex { expression in
            // The attribute with its header of 4 bytes.
            (expression.payload.startIndex - 4..<expression.payload.endIndex).contains(message.startIndex + offset)
        }
    }

    /// Whether a message with several elements failed: the error does not name the element.
    func isAmbiguous(_ rejection: NetlinkRejection) -> Bool { rejection.failures.keys.contains { origins[$0].elements.count > 1 } }
}

extension NFTCommand {
    /// The approximate length of the command in a transaction in bytes, rounded up; see `NFTablesClient.maximumTransactionBytes`.
    var byteCount: Int {
        let names = 128
        let elements: [NFTElement]
        switch self {
        case .addElements(_, let added): elements = added
        case .deleteElements(_, let deleted): elements = deleted
        default:
            // No command that this program writes exceeds the capacity of its message.
            let message = try? message(table: "", .ipv6, setNumber: 0).bytes()
            return names + (message?.count ?? 0)
        }
        let bytes = elements.reduce(0) { $0 + $1.byteCount }
        return bytes + (bytes / NFTTransaction.elementBytesPerMessage + 1) * (NFTTransaction.messageBytes + names)
    }
}
