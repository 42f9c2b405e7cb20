import Testing

@testable import Traffic

@Suite struct `Totals of counters` {
    private var totals = TrafficTotals<String, String>()

    private mutating func take(_ readings: (source: String, subject: String?, connections: UInt64)..., isNew: Bool = true) -> UInt64 {
        totals.add(
            readings.map { .init(source: $0.source, subject: $0.subject, counters: .init(connections: $0.connections), isNew: isNew) })
        return totals["web"].connections
    }

    @Test mutating func `count a source once if a dump lists it twice`() {
        #expect(take(("a", "web", 10), ("a", "web", 10)) == 10)
        #expect(take(("a", "web", 12), ("a", "web", 13)) == 12)
        #expect(take(("a", "web", 13)) == 13)
    }

    @Test mutating func `do not jump if a dump omits a source`() {
        #expect(take(("a", "web", 10), ("b", "web", 1)) == 11)
        #expect(take(("b", "web", 2)) == 12)
        #expect(take(("a", "web", 11), ("b", "web", 2)) == 13)
        #expect(take() == 13)
        #expect(take(("a", "web", 12), ("b", "web", 2)) == 14)
    }

    @Test mutating func `drop a source that is missing twice, and count it again from zero`() {
        #expect(take(("a", "web", 10), ("b", "web", 1)) == 11)
        #expect(take(("b", "web", 1)) == 11)
        #expect(take(("b", "web", 1)) == 11)
        #expect(take(("a", "web", 3), ("b", "web", 1)) == 14)
    }

    @Test mutating func `exclude what a source counted before it was tracked`() {
        #expect(take(("a", nil, 10)) == 0)
        #expect(take(("a", "web", 11)) == 1)
        #expect(take(("b", "web", 5), isNew: false) == 1)
        #expect(take(("b", "web", 6), isNew: false) == 2)
    }

    @Test mutating func `continue after a source is zeroed`() {
        #expect(take(("a", "web", 10)) == 10)
        #expect(take(("a", "web", 0)) == 10)
        #expect(take(("a", "web", 3)) == 13)
    }
}
