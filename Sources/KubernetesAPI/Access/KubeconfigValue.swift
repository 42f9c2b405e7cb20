import Yams

/// A value of a kubeconfig, before anyone knows what it is for; the only file here that knows which library reads YAML.
enum KubeconfigValue: Hashable {
    case null
    case text(String)
    case list([KubeconfigValue])
    /// The last value of a key that is there twice counts, as it does for kubectl.
    case map([String: KubeconfigValue])

    /// Why a text is not YAML.
    struct Refusal: Error, Hashable {
        var message: String
    }

    /// A kubeconfig is some five levels deep.
    private static let depthLimit = 64

    /// Reads the one document of a text; JSON is YAML too.
    init(yaml text: String) throws(Refusal) {
        do {
            let parser = try Parser(yaml: text, resolver: .basic)
            // Nodes hold their anchors weakly: the parser has to outlive them.
            self = try withExtendedLifetime(parser) {
                guard let root = try parser.singleRoot() else { return .null }
                return try KubeconfigValue(root, depth: 0)
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(message: "is not valid YAML: \(error)")
        }
    }

    private init(_ node: Yams.Node, depth: Int) throws(Refusal) {
        guard depth < KubeconfigValue.depthLimit else { throw Refusal(message: "is nested too deeply") }
        switch node {
        case .scalar(let scalar):
            let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            self = isNull ? .null : .text(scalar.string)
        case .sequence(let nodes):
            var list: [KubeconfigValue] = []
            for node in nodes { list.append(try KubeconfigValue(node, depth: depth + 1)) }
            self = .list(list)
        case .mapping(let pairs):
            var map: [String: KubeconfigValue] = [:]
            for (key, value) in pairs {
                guard let key = key.scalar?.string else { throw Refusal(message: "has a key that is no text") }
                map[key] = try KubeconfigValue(value, depth: depth + 1)
            }
            self = .map(map)
        case .alias: throw Refusal(message: "has an alias of an anchor that is not there")
        }
    }
}
