/// A whole answer that says success.
public struct APIResponse: Hashable, Sendable {
    public var code: Int
    public var contentType: ContentType
    public var body: [UInt8]

    public init(code: Int, contentType: ContentType, body: [UInt8]) {
        self.code = code
        self.contentType = contentType
        self.body = body
    }
}
