/// A table beside the one before: what came, and below what went.
public struct TableChanges {
    public enum Mark: String, Hashable, Sendable {
        case same = " "
        case new = "+"
        case gone = "-"
    }

    public struct Line: Hashable, Sendable {
        public var mark: Mark
        public var line: NamedTable.Line
    }

    public let lines: [Line]

    /// - Parameter before: empty for the first table, in which nothing is new.
    public init(_ now: [NamedTable.Line], since before: [NamedTable.Line]) {
        let (known, kept) = (Set(before.map(\.essence)), Set(now.map(\.essence)))
        var lines = now.map { Line(mark: before.isEmpty || known.contains($0.essence) ? .same : .new, line: $0) }
        // The virtual server that what follows is behind, until it has been named.
        var head: NamedTable.Line?
        for line in before where line.mood != .heading {
            if line.part == .head { head = line }
            guard !kept.contains(line.essence) else { continue }
            if line.part == .body, let named = head, kept.contains(named.essence) { lines.append(Line(mark: .same, line: named)) }
            head = nil
            lines.append(Line(mark: .gone, line: line))
        }
        self.lines = lines
    }
}
