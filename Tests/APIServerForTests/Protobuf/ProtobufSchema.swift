/// The messages of the table, by name.
struct ProtobufSchema: Sendable {
    struct Field: Sendable {
        var number: UInt64
        var name: String
        var type: String
        var isRepeated: Bool
        /// Whether it is written only if it is set.
        var isPointer: Bool
    }

    static let kubernetes = ProtobufSchema(ProtobufTable.text)

    private(set) var messages: [String: [Field]] = [:]

    init(_ table: String) {
        var message = ""
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2 {
                message = String(words[1])
            } else if words.count == 3, let number = UInt64(words[0]) {
                let isRepeated = words[2].first == "["
                let isPointer = words[2].last == "?"
                let type = words[2].dropFirst(isRepeated ? 1 : 0).dropLast(isRepeated || isPointer ? 1 : 0)
                messages[message, default: []].append(
                    Field(number: number, name: String(words[1]), type: String(type), isRepeated: isRepeated, isPointer: isPointer))
            } else {
                preconditionFailure("not a line of the table: \(line)")
            }
        }
    }
}
