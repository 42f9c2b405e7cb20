public import FoundationEssentials

/// The inputs of a target in one file: for each of them, its length in four bytes, lowest first, and its bytes.
public struct Corpus: Sendable {
    public private(set) var inputs: [[UInt8]]

    /// The corpora of the repository.
    public static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "corpora")

    /// That of a target in the repository.
    public init(of target: FuzzTarget) throws { try self.init(packed: Corpus.folder.appending(path: target.name)) }

    public init(packed file: URL) throws {
        inputs = []
        var rest = try Data(contentsOf: file)[...]
        while rest.count >= 4 {
            let length = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            inputs.append(Array(rest.dropFirst(4).prefix(length)))
            rest = rest.dropFirst(4 + length)
        }
    }

    /// The files of a folder, the shortest first, up to a total length in bytes.
    public init(unpacked folder: URL, limit: Int) throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let sorted = try files.map { Array(try Data(contentsOf: folder.appending(path: $0))) }.sorted {
            $0.count == $1.count ? $0.lexicographicallyPrecedes($1) : $0.count < $1.count
        }
        var left = limit
        inputs = sorted.prefix {
            left -= 4 + $0.count
            return left >= 0
        }
    }

    public func pack(into file: URL) throws {
        var data = Data()
        for input in inputs {
            for shift in [0, 8, 16, 24] { data.append(UInt8(truncatingIfNeeded: input.count >> shift)) }
            data.append(contentsOf: input)
        }
        try data.write(to: file)
    }

    public func unpack(into folder: URL) throws {
        for (number, input) in inputs.enumerated() { try Data(input).write(to: folder.appending(path: "kept-\(number)")) }
    }
}
