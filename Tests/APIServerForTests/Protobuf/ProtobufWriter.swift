/// Encodes JSON as protobuf, by the table: fields in ascending order, maps sorted by key, as an API server does.
struct ProtobufWriter {
    /// A value that does not fit the type of its field.
    struct Mismatch: Error, CustomStringConvertible {
        var field: String
        var type: String
        var description: String { "\(field): is no \(type)" }
    }

    private(set) var bytes: [UInt8] = []
    private let schema: ProtobufSchema

    private init(_ schema: ProtobufSchema) {
        self.schema = schema
    }

    /// Encodes a message of the table.
    static func message(_ name: String, _ json: JSON, schema: ProtobufSchema = .kubernetes) throws(Mismatch) -> [UInt8] {
        var writer = ProtobufWriter(schema)
        guard let fields = schema.messages[name], json.members != nil else { throw Mismatch(field: "", type: name) }
        for field in fields { try writer.write(field, json[field.name]) }
        return writer.bytes
    }

    /// Encodes bytes as a field.
    static func field(_ number: UInt64, _ content: [UInt8]) -> [UInt8] {
        var writer = ProtobufWriter(.kubernetes)
        writer.write(number, content)
        return writer.bytes
    }

    private mutating func write(_ field: ProtobufSchema.Field, _ json: JSON?) throws(Mismatch) {
        var json = json
        if case .null = json { json = nil }
        if field.isRepeated {
            guard let items = json.map({ $0.items }) ?? [] else { throw Mismatch(field: field.name, type: "list") }
            for item in items { try writeOne(field, item) }
        } else if let json {
            try writeOne(field, json)
        } else if !field.isPointer {
            try writeAbsent(field)
        }
    }

    private mutating func writeOne(_ field: ProtobufSchema.Field, _ json: JSON) throws(Mismatch) {
        let mismatch = Mismatch(field: field.name, type: field.type)
        switch field.type {
        case "string":
            guard let text = json.text else { throw mismatch }
            write(field.number, Array(text.utf8))
        case "int":
            guard let integer = json.integer else { throw mismatch }
            write(field.number, varint: UInt64(bitPattern: Int64(integer)))
        case "bool":
            guard let bool = json.bool else { throw mismatch }
            write(field.number, varint: bool ? 1 : 0)
        case "time":
            guard let text = json.text, let time = ProtobufTime(text) else { throw mismatch }
            write(
                field.number,
                [0x08] + ProtobufWriter.varint(UInt64(bitPattern: time.seconds)) + [0x10] + ProtobufWriter.varint(time.nanoseconds))
        case "intOrString": try write(field.number, ProtobufWriter.intOrString(json, mismatch))
        // As in meta/v1 FieldsV1, whose only field is the JSON.
        case "json": write(field.number, ProtobufWriter.field(1, json.bytes))
        case "map", "quantities":
            guard let members = json.members else { throw mismatch }
            for member in members.sorted(by: { $0.name < $1.name }) {
                guard let text = member.value.text else { throw mismatch }
                let value = field.type == "map" ? Array(text.utf8) : ProtobufWriter.field(1, Array(text.utf8))
                write(field.number, ProtobufWriter.field(1, Array(member.name.utf8)) + ProtobufWriter.field(2, value))
            }
        default:
            do {
                write(field.number, try ProtobufWriter.message(field.type, json, schema: schema))
            } catch {
                throw Mismatch(field: error.field.isEmpty ? field.name : "\(field.name).\(error.field)", type: error.type)
            }
        }
    }

    /// Writes the zero value of a Go type that is not a pointer.
    private mutating func writeAbsent(_ field: ProtobufSchema.Field) throws(Mismatch) {
        switch field.type {
        case "string", "time": write(field.number, [])
        case "int", "bool": write(field.number, varint: 0)
        case "intOrString": try writeOne(field, 0)
        case "map", "quantities", "bytes": break
        default: try writeOne(field, [:])
        }
    }

    private static func intOrString(_ json: JSON, _ mismatch: Mismatch) throws(Mismatch) -> [UInt8] {
        var writer = ProtobufWriter(.kubernetes)
        switch json {
        case .string(let text):
            writer.write(1, varint: 1)
            writer.write(2, varint: 0)
            writer.write(3, Array(text.utf8))
        default:
            guard let integer = json.integer else { throw mismatch }
            writer.write(1, varint: 0)
            writer.write(2, varint: UInt64(bitPattern: Int64(integer)))
            writer.write(3, [])
        }
        return writer.bytes
    }

    private mutating func write(_ number: UInt64, varint: UInt64) {
        bytes += ProtobufWriter.varint(number << 3)
        bytes += ProtobufWriter.varint(varint)
    }

    private mutating func write(_ number: UInt64, _ content: [UInt8]) {
        bytes += ProtobufWriter.varint(number << 3 | 2)
        bytes += ProtobufWriter.varint(UInt64(content.count))
        bytes += content
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
