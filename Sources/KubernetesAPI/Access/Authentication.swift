/// How requests say who they are from, apart from a client certificate.
public enum Authentication: Hashable, Sendable {
    case none
    /// `Authorization: Bearer …`
    case token(String)
    /// The same with a token that is read again as it rotates.
    case tokenFile(String)
    /// `Authorization: Basic …`
    case basic(user: String, password: String)
    /// Whatever a program says.
    case exec(ExecPlugin)
}

extension Authentication: CustomStringConvertible {
    /// Never the secret itself.
    public var description: String {
        switch self {
        case .none: "none"
        case .token: "token"
        case .tokenFile(let path): "token file \(path)"
        case .basic(let user, _): "basic, user \(user)"
        case .exec(let plugin): "exec \(plugin.command)"
        }
    }
}
