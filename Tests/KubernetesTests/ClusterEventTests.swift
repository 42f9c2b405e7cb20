import Kubernetes
import Model
import Testing

struct ClusterEventTests {
    private func event(reason: String = "Starting", note: String) -> ClusterEvent {
        ClusterEvent(.normal, reason: reason, action: "StartKubeProxy", regarding: .node("node1"), note: note)
    }

    @Test func `A reference names its object as the API does`() {
        #expect(ObjectReference.node("node1") == ObjectReference(apiVersion: "v1", kind: "Node", namespace: "", name: "node1"))
        #expect(
            ObjectReference.service(NamespacedName(namespace: "default", name: "web"))
                == ObjectReference(apiVersion: "v1", kind: "Service", namespace: "default", name: "web"))
    }

    @Test func `Short printable text stays unchanged`() {
        #expect(event(note: "über 1024 ✓").note == "über 1024 ✓")
        let full = String(repeating: "a", count: 1024)
        #expect(event(note: full).note == full)
    }

    @Test func `Control characters are escaped`() {
        #expect(event(note: "a\nb\u{1b}[2J").note == "a\\u{a}b\\u{1b}[2J")
    }

    @Test(arguments: ["a", "ä", "€", "👩‍👩‍👧", "e\u{301}\u{302}", "\u{0}", "\u{10FFFF}"])
    func `Long text is truncated at a character boundary within the API's limit`(piece: String) {
        for count in [127, 128, 129, 255, 1023, 1024, 1025, 5000] {
            let long = event(reason: String(repeating: piece, count: count), note: String(repeating: piece, count: count))
            #expect(long.reason.utf8.count <= 128)
            #expect(long.note.utf8.count <= 1024)
            #expect(!long.note.contains("\u{FFFD}"))
            if long.note.utf8.count > 20, long.note.last == "…" { #expect(long.note.utf8.count > 1024 - 26 - 20) }
        }
    }
}
