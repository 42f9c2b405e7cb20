/// What `nft -s list ruleset` prints: the tables of nftables in a network namespace, without counters.
package struct Ruleset: Equatable, Sendable {
    package struct Object: Equatable, Sendable {
        /// The rules of a chain, with its hook as the first line; the properties of a set.
        package fileprivate(set) var lines: [String] = []
        /// The elements of a set, sorted, such as `10.96.0.1 . tcp . 443`, without comments.
        package fileprivate(set) var elements: [String] = []
    }

    /// Tables, chains, sets and other objects by table, kind and name: `ip kube-ipvs-proxy chain nat-output`.
    package private(set) var objects: [String: Object] = [:]

    package init(parsing text: String) {
        var (table, name): (String, String?) = ("", nil)
        var list: String?
        for line in text.split(separator: "\n") {
            let content = String(line.drop { $0 == "\t" || $0 == " " })
            if let begun = list {
                list = begun + content
            } else if line.hasPrefix("table ") {
                // table ip kube-ipvs-proxy { # progname …
                table = line.split(separator: " ").dropFirst().prefix(2).joined(separator: " ")
                objects[table] = Object()
            } else if content == "}" {
                name = nil
            } else if name == nil, content.hasSuffix(" {") {
                name = "\(table) \(content.dropLast(2))"
                objects[name ?? table] = Object()
            } else if content.hasPrefix(Self.elements) {
                list = content
            } else {
                objects[name ?? table]?.lines.append(content)
            }
            // It may have many lines.
            if let all = list, all.hasSuffix("}") {
                objects[name ?? table]?.elements = Self.elements(of: all).sorted()
                list = nil
            }
        }
    }

    private static let elements = "elements = {"

    /// - Parameter text: `elements = { 10.96.0.1 . tcp . 443 comment "web", 10.96.0.10 . tcp . 80 }`.
    private static func elements(of text: String) -> [String] {
        text.dropFirst(elements.count).dropLast().replacing(/\ comment "[^"]*"/, with: "").split(separator: ",").map {
            $0.split(separator: " ").joined(separator: " ")
        }
    }
}
