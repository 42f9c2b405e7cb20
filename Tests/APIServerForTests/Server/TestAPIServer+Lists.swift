extension TestAPIServer {
    /// Returns the response of a server with these objects of one resource to a list request, for measuring how it is decoded.
    public static func list(of plural: String, holding objects: [JSON], inProtobuf: Bool) throws -> [UInt8] {
        guard let resource = ServerResource.named(plural) else { throw TestStatus.badRequest("no resource \(plural)") }
        let stored = try objects.enumerated().map { try StoredObject(resource, $0.element, version: $0.offset + 1) }
        return (inProtobuf ? WireEncoding.protobuf : .json).list(stored, of: resource, version: stored.count)
    }
}
