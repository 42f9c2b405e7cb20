/// A rule of a chain.
struct NFTRule: Hashable, Sendable {
    var chain: String
    var expressions: [NFTExpression]
    /// Cut to `maximumCommentBytes` when written.
    var comment: String?

    /// The maximum length of a comment in bytes of UTF-8, without the NUL (libnftnl's `NFTNL_UDATA_COMMENT_MAXLEN`).
    static let maximumCommentBytes = 127
}
