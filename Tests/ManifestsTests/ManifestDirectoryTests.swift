import FoundationEssentials
import Glibc
import Logging
import Model
import Synchronization
import SystemCalls
import Testing
import Kubernetes

@testable import Manifests

/// A directory of manifests, its source, and the cluster state that follows it.
final class WatchedDirectory: Sendable {
    let base: String
    let path: String
    let source: ManifestDirectory
    private let state = Mutex(ClusterState())
    private let reported: Reported

    final class Reported: Sendable {
        let problems = Mutex<[SourceProblem]>([])
    }

    init(exists: Bool = true) throws {
        base = FileManager.default.temporaryDirectory.path + "/manifests-\(UInt64.random(in: 0 ... .max))"
        path = base + "/d"
        try FileManager.default.createDirectory(atPath: exists ? path : base, withIntermediateDirectories: true)
        let reported = Reported()
        self.reported = reported
        source = ManifestDirectory(path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) { problem in
            reported.problems.withLock { $0.append(problem) }
        }
    }

    deinit {
        // Leftover temporary files are harmless.
        try? FileManager.default.removeItem(atPath: base)
    }

    var problems: [SourceProblem] { reported.problems.withLock { $0 } }

    func write(_ name: String, _ text: String) throws {
        let file = try #require(unsafe fopen("\(path)/\(name)", "w"))
        unsafe fputs(text, file)
        unsafe fclose(file)
    }

    func move(_ from: String, _ to: String) { #expect(unsafe rename("\(path)/\(from)", "\(path)/\(to)") == 0) }
    func remove(_ name: String) { #expect(unsafe unlink("\(path)/\(name)") == 0) }
    func link(_ target: String, _ name: String) { #expect(unsafe symlink(target, "\(path)/\(name)") == 0) }

    /// Returns the ports of the current Services according to the feed.
    func ports() -> [String: UInt16] {
        state.withLock { state in
            for change in source.feed.take().changes { state.apply(change) }
            return Dictionary(
                state.services.map { ($0.key.name, $0.value.ports.first?.port ?? 0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// Waits for the Services for less than the sweep interval, so that only the watch can have reported them.
    func wait(for expected: [String: UInt16], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < ManifestDirectory.sweepInterval * 0.8 {
            if ports() == expected { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("have \(ports()), want \(expected)", sourceLocation: sourceLocation)
    }

    func waitForProblems(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let start = ContinuousClock.now
        while problems.count < count, ContinuousClock.now - start < .seconds(20) { try await Task.sleep(for: .milliseconds(2)) }
        #expect(problems.count == count, sourceLocation: sourceLocation)
    }

    /// Runs the source during `body`, and checks that it ends when cancelled.
    func whileRunning(_ body: () async throws -> Void) async throws {
        let source = source
        let task = Task { try await source.run() }
        try await body()
        task.cancel()
        try await task.value
    }
}

func web(_ port: Int, name: String = "web") -> String { manifest(service: name, "ports: [{port: \(port)}]") }

@Suite(.serialized, .timeLimit(.minutes(10))) struct ManifestDirectoryTests {
    @Test func `The first load publishes all files and marks the feed synced`() throws {
        let directory = try WatchedDirectory()
        try directory.write("a.yaml", web(1, name: "a"))
        try directory.write("b.yml", web(2, name: "b"))
        try directory.write("c.json", #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"c"},"spec":{"ports":[{"port":3}]}}"#)
        try directory.write(".hidden.yaml", web(4, name: "d"))
        try directory.write("e.txt", web(5, name: "e"))
        #expect(directory.source.load() == [])
        let batch = directory.source.feed.take()
        #expect(batch.synced)
        #expect(batch.changes.count == 3)
        #expect(directory.source.load() == [])
        #expect(directory.source.feed.take().changes.isEmpty)
    }

    @Test func `A missing directory is a problem, not an empty cluster`() throws {
        let directory = try WatchedDirectory(exists: false)
        let problems = directory.source.load()
        #expect(problems.map(\.file) == [directory.path])
        #expect(!directory.source.feed.take().synced)
    }

    @Test func `The valid objects of a new invalid file are used; later the file's last valid version is kept`() throws {
        let directory = try WatchedDirectory()
        try directory.write("a.yaml", web(1) + "---\nkind: [\n")
        #expect(directory.source.load().map(\.document) == [2])
        #expect(directory.ports() == ["web": 1])
        try directory.write("a.yaml", web(22) + web(23, name: "more"))
        #expect(directory.source.load() == [])
        #expect(directory.ports() == ["web": 22, "more": 23])
        try directory.write("a.yaml", web(333) + web(99999, name: "more"))
        try directory.write("b.yaml", web(5, name: "other"))
        #expect(directory.source.load().map(\.value) == ["99999"])
        #expect(directory.ports() == ["web": 22, "more": 23, "other": 5])
        #expect(directory.problems.count == 2)
        directory.remove("a.yaml")
        directory.source.load()
        #expect(directory.ports() == ["other": 5])
    }

    @Test func `An object in two files is taken from the first file by name`() throws {
        let directory = try WatchedDirectory()
        try directory.write("b.yaml", web(2))
        directory.source.load()
        try directory.write("a.yaml", web(1))
        let problems = directory.source.load()
        #expect(problems.map(\.file) == ["\(directory.path)/b.yaml"])
        #expect(problems.first?.object == NamespacedName(namespace: "default", name: "web"))
        #expect(directory.ports() == ["web": 1])
        directory.remove("a.yaml")
        directory.source.load()
        #expect(directory.ports() == ["web": 2])
    }

    @Test func `A file that is too large or not a regular file is reported, and the last version is kept`() throws {
        let directory = try WatchedDirectory()
        try directory.write("a.yaml", web(1))
        directory.source.load()
        directory.remove("a.yaml")
        #expect(unsafe mkfifo("\(directory.path)/a.yaml", 0o600) == 0)
        #expect(unsafe mkdir("\(directory.path)/d.yaml", 0o700) == 0)
        #expect(directory.source.load().map(\.message) == Array(repeating: "failed to load: is not a regular file", count: 2))
        #expect(directory.ports() == ["web": 1])
        #expect(directory.source.load() == [])
        var library = ManifestLibrary(directory: directory.path, settings: ManifestSettings(), maximumFileSize: 10)
        try directory.write("big.yaml", web(1, name: "big"))
        let update = library.scan()
        #expect(update.problems.contains { $0.message.contains("is larger than") })
    }

    @Test func `Writes, renames, moves and deletes are published when they happen`() async throws {
        let directory = try WatchedDirectory()
        try directory.write("a.yaml", web(1))
        try await directory.whileRunning {
            try await directory.wait(for: ["web": 1])
            try directory.write("a.yaml", web(2))
            try await directory.wait(for: ["web": 2])
            try directory.write(".a.tmp", web(3))
            directory.move(".a.tmp", "a.yaml")
            try await directory.wait(for: ["web": 3])
            try directory.write("b.yaml", web(4, name: "other"))
            try await directory.wait(for: ["web": 3, "other": 4])
            directory.move("b.yaml", "c.yaml")
            try await Task.sleep(for: .milliseconds(100))
            #expect(directory.source.feed.take().changes.isEmpty)
            directory.move("c.yaml", "../c.yaml")
            try await directory.wait(for: ["web": 3])
            directory.move("../c.yaml", "c.yaml")
            try await directory.wait(for: ["web": 3, "other": 4])
            directory.remove("a.yaml")
            try await directory.wait(for: ["other": 4])
        }
        #expect(directory.problems == [])
    }

    @Test func `An update of a mounted ConfigMap is detected`() async throws {
        let directory = try WatchedDirectory()
        for version in 1...2 {
            #expect(unsafe mkdir("\(directory.path)/..v\(version)", 0o700) == 0)
            try directory.write("..v\(version)/a.yaml", web(version))
        }
        directory.link("..v1", "..data")
        directory.link("..data/a.yaml", "a.yaml")
        try await directory.whileRunning {
            try await directory.wait(for: ["web": 1])
            directory.link("..v2", "..data_tmp")
            directory.move("..data_tmp", "..data")
            try await directory.wait(for: ["web": 2])
        }
    }

    @Test func `A write to the target of a symbolic link is detected`() async throws {
        let directory = try WatchedDirectory()
        try directory.write("../target.yaml", web(1))
        directory.link("../target.yaml", "a.yaml")
        try await directory.whileRunning {
            try await directory.wait(for: ["web": 1])
            try directory.write("../target.yaml", web(2))
            try await directory.wait(for: ["web": 2])
            try directory.write("../new.yaml", web(3))
            directory.move("../new.yaml", "../target.yaml")
            try await directory.wait(for: ["web": 3])
        }
    }

    @Test func `An unfinished file is read only after it has been written`() async throws {
        let directory = try WatchedDirectory()
        try directory.write("a.yaml", web(1))
        try await directory.whileRunning {
            try await directory.wait(for: ["web": 1])
            let file = try #require(unsafe fopen("\(directory.path)/a.yaml", "w"))
            try await Task.sleep(for: .milliseconds(1300))
            #expect(directory.ports() == ["web": 1])
            unsafe fputs(web(2), file)
            unsafe fflush(file)
            try await directory.wait(for: ["web": 2])
            unsafe fputs(web(3, name: "more"), file)
            unsafe fclose(file)
            try await directory.wait(for: ["web": 2, "more": 3])
        }
    }

    @Test func `The Services of a removed directory are kept until the directory is created again`() async throws {
        let directory = try WatchedDirectory()
        try directory.write("a.yaml", web(1))
        try await directory.whileRunning {
            try await directory.wait(for: ["web": 1])
            #expect(unsafe rename(directory.path, directory.base + "/removed") == 0)
            try await directory.waitForProblems(1)
            #expect(directory.ports() == ["web": 1])
            #expect(unsafe mkdir(directory.path, 0o700) == 0)
            try directory.write("b.yaml", web(2))
            try await directory.wait(for: ["web": 2])
            try directory.write("b.yaml", web(3))
            try await directory.wait(for: ["web": 3])
        }
    }

    @Test func `A directory created later is read when it appears`() async throws {
        let directory = try WatchedDirectory(exists: false)
        try await directory.whileRunning {
            try await Task.sleep(for: .milliseconds(100))
            #expect(unsafe mkdir(directory.path, 0o700) == 0)
            try directory.write("a.yaml", web(1))
            try await directory.wait(for: ["web": 1])
        }
    }

    @Test func `A burst of writes becomes one change per object`() async throws {
        let directory = try WatchedDirectory()
        try await directory.whileRunning {
            try await Task.sleep(for: .milliseconds(50))
            for port in 1...50 { try directory.write("a.yaml", web(port)) }
            try await directory.wait(for: ["web": 50])
            try await Task.sleep(for: .milliseconds(100))
            #expect(directory.source.feed.take().changes.isEmpty)
        }
    }

    @Test func `An overflow of the kernel's event queue causes a full scan`() {
        var schedule = ManifestSchedule()
        let now = ContinuousClock.now
        schedule.record([.everything, .writing("a.yaml")], at: now)
        let due = schedule.due(at: now + .milliseconds(60), isEmpty: { _ in false })
        #expect(due.everything && due.files.isEmpty)
        #expect(schedule.unsettled == ["a.yaml"])
    }

    @Test func `An unfinished file is read a second after the last write, unless it is empty`() {
        var schedule = ManifestSchedule()
        let start = ContinuousClock.now
        func due(_ milliseconds: Int, isEmpty: Bool = false) -> Set<String> {
            schedule.due(at: start + .milliseconds(milliseconds), isEmpty: { _ in isEmpty }).files
        }
        schedule.record([.writing("a.yaml")], at: start)
        #expect(due(1000, isEmpty: true) == [])
        schedule.record([.writing("a.yaml")], at: start + .milliseconds(1300))
        #expect(due(2299) == [] && schedule.unsettled == ["a.yaml"])
        #expect(due(2300) == ["a.yaml"] && schedule.unsettled == [])
    }
}
