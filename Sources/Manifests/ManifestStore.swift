internal import Model

/// The objects of all files, and which file's counts where several have the same.
struct ManifestStore {
    /// An object that several files have.
    struct Duplicate: Hashable {
        var key: ManifestObject.Key
        /// The file whose object counts: the first by name.
        var kept: String
        var ignored: String
    }

    private var files: [String: [ManifestObject.Key: ManifestObject]] = [:]
    private var holders: [ManifestObject.Key: Set<String>] = [:]

    /// The file whose object counts.
    func file(of key: ManifestObject.Key) -> String? { holders[key]?.min() }

    func object(_ key: ManifestObject.Key) -> ManifestObject? { file(of: key).flatMap { files[$0]?[key] } }

    var count: Int { holders.count }

    /// Puts new content in the place of files, nil for those that are gone; returns what of the whole is different now.
    mutating func replace(_ contents: [String: [ManifestObject]?]) -> (
        changes: [ManifestObject.Key: ManifestObject?], duplicates: [Duplicate]
    ) {
        var before: [ManifestObject.Key: ManifestObject?] = [:]
        for (file, content) in contents {
            let old = files[file] ?? [:]
            let new = Dictionary((content ?? []).map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
            for key in Set(old.keys).union(new.keys) where old[key] != new[key] && !before.keys.contains(key) {
                before[key] = .some(object(key))
            }
            for key in old.keys where new[key] == nil { holders.remove(file, from: key) }
            for key in new.keys where old[key] == nil { holders[key, default: []].insert(file) }
            files[file] = content == nil ? nil : new
        }
        var changes: [ManifestObject.Key: ManifestObject?] = [:]
        for (key, old) in before {
            let new = object(key)
            if new != old { changes[key] = .some(new) }
        }
        return (changes, duplicates(among: contents))
    }

    /// What is new among the objects that several files have.
    private func duplicates(among contents: [String: [ManifestObject]?]) -> [Duplicate] {
        var found: Set<Duplicate> = []
        for (file, content) in contents {
            for object in content ?? [] {
                guard let all = holders[object.key], all.count > 1, let kept = all.min() else { continue }
                for ignored in file == kept ? all.subtracting([kept]) : [file] {
                    found.insert(Duplicate(key: object.key, kept: kept, ignored: ignored))
                }
            }
        }
        return found.sorted { ($0.ignored, $0.key) < ($1.ignored, $1.key) }
    }
}
