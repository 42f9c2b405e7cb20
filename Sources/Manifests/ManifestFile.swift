internal import Glibc
internal import Kubernetes
internal import Model
internal import SystemCalls

/// The manifest files of a directory.
enum ManifestFile {
    /// The maximum size of a file in bytes; larger ones are refused, because a file is held in memory, several times.
    static let maximumSize: Int64 = 512 << 20

    /// Whether a file of this name is read: `*.yaml`, `*.yml` and `*.json`, unless hidden.
    static func isManifest(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    /// Returns the sorted names of the manifests in a directory.
    static func names(in directory: String) throws(FileError) -> [String] {
        guard let stream = unsafe opendir(directory) else { throw FileError("opendir", directory, errno) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                // With an incomplete listing, files would seem to be deleted.
                guard errno == 0 else { throw FileError("readdir", directory, errno) }
                return names.sorted()
            }
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if isManifest(name) { names.append(name) }
        }
    }
}

/// The objects and problems of a file of manifests.
struct ManifestReading: Sendable {
    /// In the order of the file.
    var objects: [ManifestObject] = []
    var problems: [SourceProblem] = []
    /// Fields without effect, in valid objects.
    var warnings: [SourceProblem] = []

    /// Reads the bytes of a file: JSON if its name ends in `.json`, YAML otherwise.
    init(_ bytes: [UInt8], file: String) {
        let documents = file.hasSuffix(".json") ? JSONDocuments.read(bytes) : YAMLDocuments.read(bytes)
        var seen: Set<ManifestObject.Key> = []
        for document in documents {
            let place = SourceProblem(file: file, document: document.number, line: document.line, message: "")
            switch document.content {
            case .unreadable(let message): problems.append(place.with(message))
            case .item(let item): add(item, index: nil, place, &seen)
            }
        }
    }

    private mutating func add(_ item: ManifestItem, index: Int?, _ place: SourceProblem, _ seen: inout Set<ManifestObject.Key>) {
        var place = place
        place.kind = item.kind?.rawValue
        place.object = item.name
        switch item.content {
        case .skipped: break
        case .list(let items):
            for (index, item) in items.enumerated() { add(item, index: index, place, &seen) }
        case .invalid(let found):
            problems += found.map { place.with($0, inItem: item.name == nil ? index : nil) }
        case .object(let object):
            if seen.insert(object.key).inserted {
                objects.append(object)
                warnings += item.warnings.map { place.with($0) }
            } else {
                problems.append(place.with("is defined twice in this file: delete one of the two"))
            }
        }
    }
}

extension SourceProblem {
    func with(_ message: String) -> SourceProblem {
        var problem = self
        problem.message = message
        return problem
    }

    func with(_ found: FieldProblem, inItem index: Int? = nil) -> SourceProblem {
        var problem = with(found.message)
        let prefix = index.map { "items[\($0)]" }
        let path = [prefix, found.field.isEmpty ? nil : found.field].compactMap(\.self).joined(separator: ".")
        problem.field = path.isEmpty ? nil : path
        problem.value = found.value
        return problem
    }
}
