internal import Model

/// The objects of all files, and the file in effect for objects that several files contain.
struct ManifestStore {
    /// An object that several files contain.
    struct Duplicate: Hashable {
        var key: ManifestObject.Key
        /// The file whose object is in effect: the first by name.
        var kept: String
        var ignored: String
    }

    private var files: [String: [ManifestObject.Key: ManifestObject]] = [:]
    private var holders: [ManifestObject.Key: Set<String>] = [:]

    /// Returns the file whose object is in effect.
    func file(of key: ManifestObject.Key) -> String? { holders[key]?.min() }

    func object(_ key: ManifestObject.Key) -> ManifestObject? { file(of: key).flatMap { files[$0]?[key] } }

    var count: Int { holders.count }

    /// Replaces the content of files, with nil for removed files; returns the objects that differ now, and new duplicates.
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

    /// Returns the duplicates of objects in the given files.
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
