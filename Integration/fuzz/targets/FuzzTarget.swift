/// A parser of bytes from elsewhere, with what must hold for any bytes.
public struct FuzzTarget: Sendable {
    public let name: String
    /// Parses the bytes. Throws `BrokenPromise` if something does not hold that must; errors about the bytes are caught inside.
    public let check: @Sendable ([UInt8]) throws -> Void

    init(_ name: String, _ check: @escaping @Sendable ([UInt8]) throws -> Void) {
        self.name = name
        self.check = check
    }

    /// All of them, by what they parse.
    public static let all: [FuzzTarget] = [
        .netlink, .netlinkSocket, .socketOptions, .rules, .watch, .list, .yaml, .manifest, .kubeconfig, .configuration, .flags, .texts,
        .status, .http,
    ]
}

/// Something that does not hold for an input, although it must for all.
public struct BrokenPromise: Error, CustomStringConvertible {
    public let description: String
}

func require(_ condition: Bool, _ promise: @autoclosure () -> String) throws(BrokenPromise) {
    guard condition else { throw BrokenPromise(description: promise()) }
}

/// A text for logs, Events and terminals must not forge lines or move a cursor.
func requirePrintable(_ text: String, _ what: String) throws(BrokenPromise) {
    let forger = text.unicodeScalars.first { $0.properties.generalCategory == .control || "\u{2028}\u{2029}".unicodeScalars.contains($0) }
    guard let forger else { return }
    throw BrokenPromise(description: "\(what) contains the character U+\(String(forger.value, radix: 16)): \(text.debugDescription)")
}

/// The bytes of an input that choose what the rest is for.
struct Choices {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func number() -> UInt16 { UInt16(byte()) | UInt16(byte()) << 8 }

    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func choice<Value>(_ values: [Value]) -> Value { values[Int(byte()) % values.count] }

    /// The rest as text, with replacements for what is not UTF-8.
    var text: String { String(decoding: rest, as: UTF8.self) }
}
