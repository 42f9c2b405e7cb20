import Testing

@testable import APIServerForTests

@Suite struct `The test server's store` {
    private var store = ServerStore(historyLimit: 8)
    private let services: ServerResource
    private let web: ServerStore.Place

    init() throws {
        services = try #require(ServerResource.named("services"))
        web = ServerStore.Place(resource: services, namespace: "n", name: "web")
    }

    private var place: ServerStore.Place { ServerStore.Place(resource: services, namespace: "n") }

    /// Returns the code and reason of an error status.
    private func refusal(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch let status as TestStatus {
            return "\(status.code) \(status.reason)"
        } catch {
            return "\(error)"
        }
    }

    @Test mutating func `An object is created once, with a version and a uid`() throws {
        let event = try store.create(place, ["metadata": ["name": "web"], "spec": ["clusterIP": "10.96.0.1"]])
        let metadata = try #require(event.after?.value["metadata"])
        #expect(metadata["resourceVersion"] == "101")
        #expect(metadata["namespace"] == "n")
        #expect(metadata["uid"]?.text?.count == 36)
        var store = store
        #expect(refusal { _ = try store.create(place, ["metadata": ["name": "web"]]) } == "409 AlreadyExists")
        #expect(refusal { _ = try store.create(place, ["metadata": [:]]) } == "422 Invalid")
        #expect(refusal { _ = try store.create(place, ["kind": "Node", "metadata": ["name": "x"]]) } == "400 BadRequest")
        #expect(refusal { _ = try store.create(place, ["metadata": ["name": "x", "namespace": "other"]]) } == "400 BadRequest")
    }

    @Test mutating func `A stale version is a conflict, unlike none or the latest`() throws {
        let first = try #require(try store.create(place, ["metadata": ["name": "web"]]).after)
        var value = first.value
        value["spec"] = ["clusterIP": "10.96.0.2"]
        let second = try #require(try store.replace(web, value)?.after)
        #expect(second.version == 102)
        #expect(second.value["metadata"]?["uid"] == first.value["metadata"]?["uid"])
        value["spec"] = ["clusterIP": "10.96.0.3"]
        var copy = store
        #expect(refusal { _ = try copy.replace(web, value) } == "409 Conflict")
        let missing = ServerStore.Place(resource: services, namespace: "n", name: "none")
        #expect(refusal { _ = try copy.replace(missing, value) } == "404 NotFound")
        value["metadata"]?["resourceVersion"] = nil
        #expect(try store.replace(web, value)?.version == 103)
        #expect(try store.replace(web, value) == nil, "an update without changes is not an event")
    }

    @Test mutating func `A patch changes only its fields`() throws {
        _ = try store.create(place, ["metadata": ["name": "web", "labels": ["a": "1", "b": "2"]]])
        let event = try #require(try store.patch(web, ["metadata": ["labels": ["a": .null, "c": "3"]]]))
        #expect(event.after?.labels == ["b": "2", "c": "3"])
        var copy = store
        #expect(refusal { _ = try copy.patch(web, ["metadata": ["resourceVersion": "1"]]) } == "409 Conflict")
    }

    @Test mutating func `A deleted namespace deletes its objects`() throws {
        let namespaces = try #require(ServerResource.named("namespaces"))
        _ = try store.create(.init(resource: namespaces), ["metadata": ["name": "n"]])
        _ = try store.create(place, ["metadata": ["name": "web"]])
        _ = try store.create(.init(resource: services, namespace: "m"), ["metadata": ["name": "web"]])
        let removed = try store.deleted(with: .init(resource: namespaces, name: "n"))
        #expect(removed.map(\.key) == ["n/web", "/n"])
    }

    @Test mutating func `The history is limited, and removed versions are reported as expired`() throws {
        for number in 0..<50 { _ = store.put("services", .service("s\(number)")) }
        #expect(store.history.count <= 10)
        #expect(store.oldest >= 140)
        #expect(store.events("services", after: store.oldest).first?.version == store.oldest + 1)
        #expect(store.events("services", after: 149).map(\.version) == [150])
        let store = store
        #expect(refusal { try store.check(version: 120, asEvent: true) } == "410 Expired")
        #expect(refusal { try store.check(version: store.version, asEvent: true) } == nil)
        #expect(refusal { try store.check(version: 151, asEvent: true) } == "504 Timeout")
    }

    @Test mutating func `Watches with a selector report objects that start and stop matching`() throws {
        let selector = try ObjectSelector(services, namespace: nil, labels: "!hidden", fields: "spec.clusterIP!=None")
        var types: [EventType?] = []
        for labels: JSON in [[:], ["x": "1"], ["hidden": "1"], ["hidden": "2"], [:]] {
            let event = try store.put(services, ["metadata": ["name": "web", "namespace": "n", "labels": labels]])
            types.append(event.type(for: selector))
        }
        types.append(
            try store.put(services, ["metadata": ["name": "web", "namespace": "n"], "spec": ["clusterIP": "None"]]).type(for: selector))
        types.append(store.delete("services", key: "n/web")?.type(for: selector))
        #expect(types == [.added, .modified, .deleted, nil, .added, .deleted, nil])
    }

    @Test func `A lost deletion is not reported to any watch`() throws {
        var state = ServerState()
        _ = state.store.put("services", .service("a"))
        state.lostDeletions = ["services": 1]
        state.delete("services", key: "default/a")
        #expect(state.store.sorted("services").isEmpty)
        #expect(state.store.version == 102)
        #expect(state.store.history.count == 1)
    }
}
