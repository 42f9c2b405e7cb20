import Kubernetes
import Model
import Testing

@testable import KubernetesAPI

struct EventNameTests {
    private func name(_ object: String) -> String { EventName.name(for: .node(object), id: 0xabc) }

    @Test func `An Event is named after its object`() {
        #expect(name("node-1.example.com") == "node-1.example.com.0000000000000abc")
        #expect(EventName.name(for: .node("a"), id: .max) == "a.ffffffffffffffff")
        #expect(EventName.namespace(for: .node("a")) == "default")
        #expect(EventName.namespace(for: .service(NamespacedName(namespace: "shop", name: "web"))) == "shop")
    }

    @Test(arguments: ["", "A", "a_b", "a/b", "..", "a..b", "-a", "a-", "ä", "a\n"])
    func `The Event of an object with an invalid name has a default name`(object: String) {
        #expect(name(object) == "kube-proxy.0000000000000abc")
    }

    @Test func `A name is never longer than the API allows, and no label in it ends with a dash`() {
        for length in 230...253 {
            for end in ["a", "-.", ".b", "--"] {
                let object = String((String(repeating: "a", count: length) + end + String(repeating: "c", count: 30)).prefix(253))
                let name = name(object)
                #expect(name.utf8.count <= 253)
                #expect(!name.contains("-.") && !name.contains(".."))
                let isUsable = !object.contains("-.") && object.last?.isLetter == true
                #expect(name.hasPrefix("aaa") == isUsable)
            }
        }
    }
}
