extension ServiceCIDR {
    /// Reads `networking.k8s.io/v1` ServiceCIDR.
    public static func read(_ object: ProtobufObject) throws(WireError) -> Versioned<ServiceCIDR> {
        let message: ProtoServiceCIDR = try object.message()
        let range = ServiceCIDR(name: message.metadata.name, cidrs: message.spec.cidrs)
        return Versioned(object: range, resourceVersion: message.metadata.resourceVersion)
    }
}
