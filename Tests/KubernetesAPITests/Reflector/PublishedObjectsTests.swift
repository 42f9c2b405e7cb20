import Model
import Testing

@testable import KubernetesAPI

struct PublishedObjectsTests {
    private var held = PublishedObjects()
    private let a = NamespacedName(namespace: "n", name: "a")
    private let b = NamespacedName(namespace: "n", name: "b")

    private mutating func hold(_ names: NamespacedName...) {
        held.beginList()
        for name in names { _ = held.put(name, revision: "1") }
        _ = held.endList()
    }

    @Test mutating func `News is a new object or another version of it`() {
        let outcomes = [held.put(a, revision: "1"), held.put(a, revision: "1"), held.put(a, revision: "2")]
        #expect(outcomes == [true, false, true])
        let removals = [held.remove(a), held.remove(a), held.remove(b)]
        #expect(removals == [true, false, false])
    }

    @Test mutating func `What a list lacks is gone, once it is whole`() {
        hold(a, b)
        held.beginList()
        _ = held.put(b, revision: "1")
        held.beginList()
        _ = held.put(a, revision: "1")
        let gone = held.endList()
        #expect(gone == [b])
        #expect(held.count == 1)
    }

    @Test mutating func `An object that can no longer be read stays as it was`() {
        hold(a, b)
        held.beginList()
        held.keepUnreadable(a)
        let gone = held.endList()
        #expect(gone == [b])
        #expect(!held.isIncomplete)
        let isNews = held.put(a, revision: "2")
        #expect(isNews)
    }

    @Test mutating func `An object that never could be read leaves everything in doubt until it can, or is gone`() {
        held.beginList()
        held.keepUnreadable(a)
        #expect(held.isIncomplete)
        _ = held.endList()
        #expect(held.isIncomplete)
        _ = held.put(a, revision: "2")
        #expect(!held.isIncomplete)
        held.keepUnreadable(nil)
        #expect(held.isIncomplete)
        hold(a)
        #expect(!held.isIncomplete)
    }
}
