import Testing

@testable import APIServerForTests

@Suite struct `The test server selects` {
    private static func object(_ labels: [String: String]) throws -> StoredObject {
        let services = try #require(ServerResource.named("services"))
        let labels = JSON.object(labels.map { JSON.Member($0.key, .string($0.value)) })
        let metadata: JSON = ["name": "web", "namespace": "n", "labels": labels]
        return try StoredObject(services, ["metadata": metadata, "spec": ["clusterIP": "10.96.0.1"]], version: 1)
    }

    private func matches(_ object: StoredObject, namespace: String? = nil, labels: String? = nil, fields: String? = nil) throws -> Bool {
        try ObjectSelector(object.resource, namespace: namespace, labels: labels, fields: fields).matches(object)
    }

    @Test(arguments: [
        ("a", true), ("b", false), ("!a", false), ("!b", true), ("a=1", true), ("a==1", true), ("a=2", false), ("a!=2", true),
        ("a!=1", false),
        ("b!=1", true), ("a=1,!b", true), ("a=1,b", false), ("", true),
    ])
    func `by labels`(labels: String, isMatch: Bool) throws {
        #expect(try matches(try Self.object(["a": "1"]), labels: labels) == isMatch)
    }

    @Test(arguments: [
        ("metadata.name=web", true), ("metadata.name!=web", false), ("spec.clusterIP!=None", true), ("spec.clusterIP=None", false),
        ("metadata.name=web,metadata.namespace=n", true),
    ])
    func `by fields`(fields: String, isMatch: Bool) throws {
        #expect(try matches(try Self.object([:]), fields: fields) == isMatch)
    }

    @Test func `by namespace`() throws {
        #expect(try matches(try Self.object([:]), namespace: "n"))
        #expect(try !matches(try Self.object([:]), namespace: "m"))
    }

    @Test func `and refuses unknown selectors`() throws {
        let services = try #require(ServerResource.named("services"))
        let error = #expect(throws: TestStatus.self) {
            try ObjectSelector(services, namespace: nil, labels: nil, fields: "spec.nonsense=1")
        }
        #expect(error?.message == "field label not supported: spec.nonsense")
        #expect(throws: TestStatus.self) { try ObjectSelector(services, namespace: nil, labels: "a in (1)", fields: nil) }
    }
}
