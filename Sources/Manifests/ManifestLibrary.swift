internal import Glibc
internal import Kubernetes
internal import Model
internal import SystemCalls

/// The manifests of a directory and the cluster that they describe.
struct ManifestLibrary {
    /// The result of reading the directory or some of its files.
    struct Update {
        var changes: [ClusterChange] = []
        var problems: [SourceProblem] = []
        /// Fields and objects that have no effect.
        var warnings: [SourceProblem] = []
        /// The names of files that were read or found removed.
        var files: [String] = []
    }

    private let directory: String
    private let maximumFileSize: Int64
    private var stamps: [String: FileStamp] = [:]
    /// Files of which a valid version has been read: the last one is used until there is another.
    private var validFiles: Set<String> = []
    private var store = ManifestStore()
    private var controlPlane: ManifestControlPlane
    private var isDirectoryMissing = false

    /// Whether all files have been read once.
    private(set) var isLoaded = false

    init(directory: String, settings: ManifestSettings, maximumFileSize: Int64 = ManifestFile.maximumSize) {
        self.directory = directory
        self.maximumFileSize = maximumFileSize
        controlPlane = ManifestControlPlane(settings: settings)
    }

    var objectCount: Int { store.count }

    /// Whether there are invalid files without a known valid version: after a restart, the kernel may still have their objects.
    var isIncomplete: Bool { !Set(stamps.keys).subtracting(validFiles).isEmpty }

    /// Reads all files whose stamp has changed, except those that are being written.
    mutating func scan(except unsettled: Set<String> = []) -> Update {
        let names: [String]
        do {
            names = try ManifestFile.names(in: directory)
            isDirectoryMissing = false
        } catch {
            return missing(error)
        }
        isLoaded = true
        let all = Set(names).union(stamps.keys).subtracting(unsettled)
        return update(all.filter { isChanged($0) })
    }

    /// Reads files that are known to have changed.
    mutating func read(_ names: Set<String>) -> Update {
        do {
            guard try FileStamp(path: directory).isDirectory else { return missing(FileError("opendir", directory, ENOTDIR)) }
        } catch {
            return missing(error)
        }
        return update(names)
    }

    /// Reads the files whose stamp has changed.
    mutating func readChanged(_ names: [String]) -> Update {
        let changed = names.filter(isChanged)
        return changed.isEmpty ? Update() : read(Set(changed))
    }

    private func isChanged(_ name: String) -> Bool {
        do {
            return try FileStamp(path: "\(directory)/\(name)") != stamps[name]
        } catch {
            // Removed or inaccessible: reading it determines which.
            return true
        }
    }

    /// Keeps all objects: a missing directory, because it or its disk is being replaced, does not mean that all Services are deleted.
    private mutating func missing(_ error: FileError) -> Update {
        defer { isDirectoryMissing = true }
        guard !isDirectoryMissing else { return Update() }
        let kept = store.count == 0 ? "create it" : "create it; its last content stays in effect until then"
        return Update(problems: [SourceProblem(file: directory, message: "failed to read (\(error)): \(kept)")])
    }

    private mutating func update(_ names: Set<String>) -> Update {
        var update = Update(files: names.sorted())
        var contents: [String: [ManifestObject]?] = [:]
        for name in update.files { read(name, &contents, &update) }
        let (changes, duplicates) = store.replace(contents)
        update.problems += duplicates.map { duplicate in
            problem(
                duplicate.key, file: duplicate.ignored,
                FieldProblem("", nil, "is also in \(directory)/\(duplicate.kept), which takes precedence: delete one of the two"))
        }
        let outcome = controlPlane.apply(changes)
        update.changes = outcome.changes
        update.problems += outcome.problems.map { problem($0.object, file: store.file(of: $0.object), $0.field) }
        update.warnings += outcome.warnings.map { problem($0.object, file: store.file(of: $0.object), $0.field) }
        return update
    }

    private func problem(_ key: ManifestObject.Key, file: String?, _ found: FieldProblem) -> SourceProblem {
        SourceProblem(file: file.map { "\(directory)/\($0)" }, kind: key.kind.rawValue, object: key.name, message: "").with(found)
    }

    private mutating func read(_ name: String, _ contents: inout [String: [ManifestObject]?], _ update: inout Update) {
        let path = "\(directory)/\(name)"
        do {
            let (bytes, stamp) = try SmallFile.read(path, limit: maximumFileSize)
            stamps[name] = stamp
            let reading = ManifestReading(bytes, file: path)
            update.problems += reading.problems
            if reading.problems.isEmpty {
                validFiles.insert(name)
            } else if validFiles.contains(name) {
                return
            }
            update.warnings += reading.warnings
            contents[name] = .some(reading.objects)
        } catch  where error.isAbsent {
            stamps[name] = nil
            validFiles.remove(name)
            contents[name] = .some(nil)
        } catch {
            reportUnreadable(name, "\(error)", &update)
        }
    }

    private mutating func reportUnreadable(_ name: String, _ reason: String, _ update: inout Update) {
        let path = "\(directory)/\(name)"
        // Reported once for each state of the file. Without a stamp, its last content stays until the next event or sweep can read it.
        let stamp = try? FileStamp(path: path)
        if stamp == nil || stamp != stamps[name] {
            update.problems.append(SourceProblem(file: path, message: "failed to load: \(reason)"))
        }
        stamps[name] = stamp
    }
}

/// An object of a manifest with the API server's defaults, and the problems that the API server would report.
struct ManifestDefaulting: Sendable {
    var object: ManifestObject
    /// What is invalid; the object is used only if this is empty.
    var problems: [FieldProblem]
    /// Fields that have no effect.
    var warnings: [FieldProblem] = []

    init(_ kind: ManifestKind, from decoder: any Decoder) throws {
        let writtenSlice = kind == .endpointSlice ? try EndpointSliceAsWritten(from: decoder) : nil
        object = try writtenSlice.map { ManifestObject($0.slice) } ?? ManifestObject(kind, from: decoder)
        problems = ManifestValidation.problems(of: object) + ManifestValidation.problems(of: try MetadataAsWritten(from: decoder))
        switch object {
        case .service(var service):
            let written = try ServiceAsWritten(from: decoder)
            problems += ManifestValidation.problems(of: service, written)
            warnings = written.drop(from: &service)
            service.trafficDistribution = written.effectiveTrafficDistribution
            object = .service(service)
        case .endpointSlice(var slice):
            if let writtenSlice { problems += ManifestValidation.problems(of: writtenSlice, slice.addressType) }
            for index in slice.ports.indices { slice.ports[index].name = slice.ports[index].name ?? "" }
            object = .endpointSlice(slice)
        case .endpoints, .node, .pod, .serviceCIDR: break
        }
    }
}
