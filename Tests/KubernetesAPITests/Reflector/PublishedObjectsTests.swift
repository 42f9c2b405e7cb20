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

    @Test mutating func `A change is a new object or another version of it`() {
        let outcomes = [held.put(a, revision: "1"), held.put(a, revision: "1"), held.put(a, revision: "2")]
        #expect(outcomes == [true, false, true])
        let removals = [held.remove(a), held.remove(a), held.remove(b)]
        #expect(removals == [true, false, false])
    }

    @Test mutating func `Objects missing in a list are removed once the list is complete`() {
        hold(a, b)
        held.beginList()
        _ = held.put(b, revision: "1")
        held.beginList()
        _ = held.put(a, revision: "1")
        let removed = held.endList()
        #expect(removed == [b])
        #expect(held.count == 1)
    }

    @Test mutating func `An object that becomes unreadable is kept`() {
        hold(a, b)
        held.beginList()
        held.keepUnreadable(a)
        let removed = held.endList()
        #expect(removed == [b])
        #expect(!held.isIncomplete)
        let isChange = held.put(a, revision: "2")
        #expect(isChange)
    }

    @Test mutating func `An object that was never readable makes the source incomplete until it is readable or removed`() {
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
