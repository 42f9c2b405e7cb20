import Model
import Testing
import Kubernetes

@testable import Manifests

@Suite struct ManifestReadingTests {
    static let good = """
        # a comment
        ---
        apiVersion: v1
        kind: Service
        metadata:
          name: web
        spec:
          ports:
          - port: 80
        ---
        # nothing
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: n1, namespace: ignored}
        """

    @Test func `Documents are read one by one, ignoring other kinds and empty ones`() {
        let result = reading(Self.good)
        #expect(result.problems == [])
        #expect(result.objects.map(\.key.name.description) == ["default/web", "/n1"])
    }

    @Test(arguments: ["", "\n", "# only\n", "---\n---\n", "\u{feff}", "%YAML 1.2\n---\n", "null\n", "...\n"])
    func `A file without objects is valid`(text: String) {
        #expect(reading(text).problems == [])
        #expect(reading(text).objects.isEmpty)
    }

    @Test func `Directives, a byte order mark and document end markers are valid`() {
        let text =
            "\u{feff}%YAML 1.1\n---\napiVersion: v1\nkind: Node\nmetadata: {name: a}\n...\n---\r\napiVersion: v1\r\nkind: Node\r\nmetadata: {name: b}\r\n"
        #expect(reading(text).problems == [])
        #expect(reading(text).objects.map(\.metadata.name) == ["a", "b"])
    }

    @Test func `Kinds of the same name in other groups are ignored`() {
        let result = reading("apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\nspec: {template: {}}\n")
        #expect(result.problems == [])
        #expect(result.objects.isEmpty)
    }

    @Test func `The items of lists are read, and an invalid item does not affect the others`() {
        let text = """
            {"apiVersion": "v1", "kind": "List", "items": [
              {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}},
              {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad"}, "spec": {"ports": [{"port": "80"}]}},
              {"apiVersion": "v1", "kind": "Secret"}, 7,
              {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}}]}
            """
        for file in ["a.json", "a.yaml"] {
            let result = reading(text, file: file)
            #expect(result.objects.map(\.metadata.name) == ["n1", "n2"])
            #expect(
                result.problems.map(\.description) == [
                    "\(file) document 1 (line 1), Service default/bad, spec.ports[0].port \"80\": must be a whole number",
                    "\(file) document 1 (line 1), items[3] \"7\": must be a mapping",
                ])
        }
    }

    @Test func `Items of a typed list need no kind`() {
        let text =
            #"{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSliceList", "items": [{"metadata": {"name": "s"}, "addressType": "IPv4"}]}"#
        #expect(reading(text, file: "a.json").objects.map(\.kind) == [.endpointSlice])
    }

    @Test func `A YAML error affects only its document`() throws {
        let text = "apiVersion: v1\nkind: Node\nmetadata: {name: a}\n---\nkind: [\n---\napiVersion: v1\nkind: Node\nmetadata: {name: b}\n"
        let result = reading(text)
        #expect(result.objects.map(\.metadata.name) == ["a", "b"])
        let problem = try #require(result.problems.first)
        #expect(problem.document == 2)
        #expect(problem.message.hasPrefix("is not valid YAML"))
    }

    @Test func `JSON documents may follow each other, and a truncated one is reported with its line`() {
        let text = """
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a}{"}}
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "b"}}
            {"apiVersion": "v1",
            """
        let result = reading(text, file: "a.json")
        #expect(result.objects.map(\.metadata.name) == ["b"])
        #expect(result.problems.map(\.document) == [1, 3])
        #expect(result.problems.map(\.line) == [1, 3])
    }

    @Test func `A duplicate object in a file is reported, and the first is kept`() {
        let node = "apiVersion: v1\nkind: Node\nmetadata: {name: a}\n"
        let result = reading("\(node)---\n\(node)")
        #expect(result.objects.count == 1)
        #expect(
            result.problems.map(\.description) == [
                "web.yaml document 2 (line 4), Node a: is defined twice in this file: delete one of the two"
            ])
    }

    @Test func `Text that is not UTF-8 is reported`() {
        #expect(ManifestReading([0xff, 0xfe, 0x00], file: "a.yaml").problems.first?.message == "is not UTF-8 text")
    }

    @Test func `A problem is a single line whatever the input contains`() {
        let result = reading("apiVersion: v1\nkind: Service\nmetadata: {name: \"a\\nERROR \\e[31m\"}\nspec: {ports: [{port: 1}]}\n")
        #expect(result.problems.count == 1)
        #expect(result.problems.allSatisfy { $0.description.utf8.allSatisfy { $0 >= 0x20 } })
    }

    @Test func `A field without effect is reported as a warning, and the object is used`() {
        let result = reading(
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {sessionAffinityConfig: {clientIP: {timeoutSeconds: 10}}, ports: [{port: 80}]}\n"
        )
        #expect(result.problems == [] && result.objects.count == 1)
        #expect(
            result.warnings.map(\.description) == [
                "web.yaml document 1 (line 1), Service default/web, spec.sessionAffinityConfig: has no effect without sessionAffinity: ClientIP"
            ])
    }
}
