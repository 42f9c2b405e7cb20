import Testing

@testable import StatusTable

@Suite struct `The changes of a table` {
    private func table(_ servers: KeyValuePairs<String, [String]>, notServed: [String] = []) -> [NamedTable.Line] {
        var lines = [NamedTable.Line(style: .heading, text: "Prot", stableText: "Prot")]
        for (server, reals) in servers {
            lines.append(.init(style: .virtualServer, text: server, stableText: server, part: .head))
            lines += reals.map { .init(style: .realServer, text: "  -> \($0)", stableText: "\(server) \($0)", part: .body) }
        }
        return lines + notServed.map { .init(style: .problem, text: $0, stableText: $0) }
    }

    private func changes(_ now: [NamedTable.Line], _ before: [NamedTable.Line]) -> [String] {
        TableChanges(now, since: before).lines.map { "\($0.mark.rawValue) \($0.line.text)" }
    }

    @Test func `are empty for the first table`() {
        #expect(changes(table(["web": ["a"]]), []) == ["  Prot", "  web", "    -> a"])
    }

    @Test func `mark added lines, and list removed ones below with their virtual server`() {
        let before = table(["web": ["a", "b", "c"], "dns": ["d"], "old": ["e"]], notServed: ["shop is not served"])
        let now = table(["web": ["b", "f"], "dns": ["d"], "new": []])
        #expect(
            changes(now, before) == [
                "  Prot", "  web", "    -> b", "+   -> f", "  dns", "    -> d", "+ new",
                "  web", "-   -> a", "-   -> c", "- old", "-   -> e", "- shop is not served",
            ])
    }
}
