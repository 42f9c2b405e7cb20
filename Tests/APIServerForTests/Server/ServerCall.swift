/// A kind of request to a test API server.
struct ServerCall: Hashable, Sendable {
    enum Verb: String, Sendable, CaseIterable {
        case get, list, watch, create, replace, patch, delete
    }

    var verb: Verb
    var plural: String

    static func list(_ plural: String) -> ServerCall { ServerCall(verb: .list, plural: plural) }
    static func watch(_ plural: String) -> ServerCall { ServerCall(verb: .watch, plural: plural) }
}
