internal import Glibc
internal import Kubernetes
internal import Model
internal import SystemCalls

/// The files of a directory of manifests.
enum ManifestFile {
    /// Larger ones are refused: all of a file is held in memory, several times over.
    static let maximumSize: Int64 = 512 << 20

    /// Whether a file of that name is read: `*.yaml`, `*.yml` and `*.json` that are not hidden.
    static func isManifest(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    /// The names of the manifests in a directory, in order.
    static func names(in directory: String) throws(FileError) -> [String] {
        guard let stream = unsafe opendir(directory) else { throw FileError("opendir", directory, errno) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                // A listing that breaks off would look as if files had been deleted.
                guard errno == 0 else { throw FileError("readdir", directory, errno) }
                return names.sorted()
            }
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if isManifest(name) { names.append(name) }
        }
    }
}

/// What a file of manifests holds.
struct ManifestReading: Sendable {
    /// In the order of the file.
    var objects: [ManifestObject] = []
    var problems: [SourceProblem] = []
    /// What has no effect, in objects that count.
    var warnings: [SourceProblem] = []

    /// Reads the bytes of a file; JSON where its name ends so, else YAML.
    init(_ bytes: [UInt8], file: String) {
        let documents = file.hasSuffix(".json") ? JSONDocuments.read(bytes) : YAMLDocuments.read(bytes)
        var seen: Set<ManifestObject.Key> = []
        for document in documents {
            let place = SourceProblem(file: file, document: document.number, line: document.line, message: "")
            switch document.content {
            case .unreadable(let message): problems.append(place.saying(message))
            case .item(let item): take(item, index: nil, place, &seen)
            }
        }
    }

    private mutating func take(_ item: ManifestItem, index: Int?, _ place: SourceProblem, _ seen: inout Set<ManifestObject.Key>) {
        var place = place
        place.kind = item.kind?.rawValue
        place.object = item.name
        switch item.content {
        case .passedOver: break
        case .list(let items):
            for (index, item) in items.enumerated() { take(item, index: index, place, &seen) }
        case .bad(let found):
            problems += found.map { place.saying($0, inItem: item.name == nil ? index : nil) }
        case .object(let object):
            if seen.insert(object.key).inserted {
                objects.append(object)
                warnings += item.warnings.map { place.saying($0) }
            } else {
                problems.append(place.saying("is defined twice in this file: delete one of the two"))
            }
        }
    }
}

extension SourceProblem {
    func saying(_ message: String) -> SourceProblem {
        var problem = self
        problem.message = message
        return problem
    }

    func saying(_ found: FieldProblem, inItem index: Int? = nil) -> SourceProblem {
        var problem = saying(found.message)
        let prefix = index.map { "items[\($0)]" }
        let path = [prefix, found.field.isEmpty ? nil : found.field].compactMap(\.self).joined(separator: ".")
        problem.field = path.isEmpty ? nil : path
        problem.value = found.value
        return problem
    }
}
