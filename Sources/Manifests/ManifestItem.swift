internal import Kubernetes
internal import Model

/// The content of a document, or of an item of a `List`.
///
/// Decoding never throws, so that an invalid item does not affect the other items.
struct ManifestItem: Decodable, Sendable {
    enum Content: Sendable {
        case object(ManifestObject)
        case list([ManifestItem])
        /// Empty, or of a kind that this program does not read.
        case skipped
        case invalid([FieldProblem])
    }

    var content: Content
    /// Fields of an object that have no effect.
    var warnings: [FieldProblem] = []
    /// The kind; nil if this program does not read it.
    var kind: ManifestKind?
    /// The name of the object, even if the rest of it is invalid.
    var name: NamespacedName?

    private enum CodingKeys: String, CodingKey { case apiVersion, kind, metadata, items }
    private enum NameKeys: String, CodingKey { case name, namespace }

    private static let lists: [String: ManifestKind?] = [
        "List": Optional<ManifestKind>.none, "ServiceList": .service, "EndpointSliceList": .endpointSlice,
        "EndpointsList": .endpoints, "NodeList": .node, "PodList": .pod,
        "ServiceCIDRList": .serviceCIDR,
    ]

    init(from decoder: any Decoder) {
        self.init(from: decoder, impliedKind: nil, isItem: false)
    }

    private init(from decoder: any Decoder, impliedKind: ManifestKind?, isItem: Bool) {
        do {
            try self.init(reading: decoder, impliedKind: impliedKind, isItem: isItem)
        } catch let error as DecodingError {
            self.init(.invalid([FieldProblem(error, in: decoder)]))
        } catch let problem as FieldProblem {
            self.init(.invalid([problem]))
        } catch {
            self.init(.invalid([FieldProblem("", nil, "failed to decode: \(error)")]))
        }
    }

    init(_ content: Content) { self.content = content }

    private init(reading decoder: any Decoder, impliedKind: ManifestKind?, isItem: Bool) throws {
        if ManifestItem.isNull(decoder) {
            content = .skipped
            return
        }
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let kindText = try fields.value(.kind, default: impliedKind?.rawValue ?? "")
        guard !kindText.isEmpty else { throw FieldProblem("kind", nil, "is required") }
        if let listed = ManifestItem.lists[kindText] {
            guard !isItem else { throw FieldProblem("kind", kindText, "a List cannot contain another List") }
            content = .list(try ManifestItem.items(of: fields, kind: listed))
            return
        }
        let versionText = try fields.value(.apiVersion, default: impliedKind?.apiVersion ?? "")
        guard let kind = try ManifestItem.kind(kindText, apiVersion: versionText) else {
            content = .skipped
            return
        }
        self.kind = kind
        name = ManifestItem.name(in: fields, kind: kind)
        do {
            let admission = try ManifestDefaulting(kind, from: decoder)
            content = admission.problems.isEmpty ? .object(admission.object) : .invalid(admission.problems)
            warnings = admission.warnings
        } catch let error as DecodingError {
            content = .invalid([FieldProblem(error, in: decoder)])
        }
    }

    private static func isNull(_ decoder: any Decoder) -> Bool {
        // Without a single value, it is a mapping or a list, and not null.
        (try? decoder.singleValueContainer().decodeNil()) ?? false
    }

    /// Returns the kind of an object; nil for other kinds, including those of the same name in other API groups.
    private static func kind(_ text: String, apiVersion: String) throws -> ManifestKind? {
        guard !apiVersion.isEmpty else { throw FieldProblem("apiVersion", nil, "is required") }
        guard let kind = ManifestKind(rawValue: text) else { return nil }
        if kind.apiVersion == apiVersion { return kind }
        if kind == .endpointSlice, apiVersion.hasPrefix("discovery.k8s.io/") {
            throw FieldProblem("apiVersion", apiVersion, "is no longer supported: use \(kind.apiVersion)")
        }
        return nil
    }

    private static func items(of fields: KeyedDecodingContainer<CodingKeys>, kind: ManifestKind?) throws -> [ManifestItem] {
        guard fields.contains(.items), try !fields.decodeNil(forKey: .items) else { return [] }
        var list = try fields.nestedUnkeyedContainer(forKey: .items)
        var items: [ManifestItem] = []
        while !list.isAtEnd {
            items.append(ManifestItem(from: try list.superDecoder(), impliedKind: kind, isItem: true))
        }
        return items
    }

    private static func name(in fields: KeyedDecodingContainer<CodingKeys>, kind: ManifestKind) -> NamespacedName? {
        // Only to name an invalid object: if the metadata is unreadable, decoding the object reports it.
        guard let metadata = try? fields.nestedContainer(keyedBy: NameKeys.self, forKey: .metadata),
            let name = try? metadata.decode(String.self, forKey: .name)
        else { return nil }
        let namespace = (try? metadata.decodeIfPresent(String.self, forKey: .namespace)) ?? ""
        return NamespacedName(namespace: !kind.isNamespaced ? "" : namespace.isEmpty ? "default" : namespace, name: name)
    }
}
