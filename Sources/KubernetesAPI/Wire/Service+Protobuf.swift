public import Kubernetes
internal import Model

extension Service {
    /// Decodes `core/v1` Service.
    public static func read(_ object: ProtobufObject) throws(WireError) -> Versioned<Service> {
        let message: ProtoService = try object.message()
        var service = Service(metadata: try ObjectMeta(message.metadata, isService: true))
        if message.hasSpec {
            let spec: ProtoServiceSpec = try ProtobufObject.message(WireBytes(message.spec))
            do {
                try service.readAddresses(spec)
                try service.readPolicies(spec)
            } catch {
                throw error.inside("spec")
            }
        }
        service.loadBalancerIngress = message.status.loadBalancer.ingress.map {
            LoadBalancerIngress(ip: $0.ip, ipMode: $0.hasIpMode ? $0.ipMode : nil)
        }
        return Versioned(object: service, resourceVersion: message.metadata.resourceVersion)
    }

    private mutating func readAddresses(_ spec: ProtoServiceSpec) throws(WireError) {
        type = try ProtobufField.choice(spec.type, "type", default: .clusterIP)
        clusterIP = spec.clusterIp
        clusterIPs = spec.clusterIps
        ipFamilies = try ProtobufField.each(spec.ipFamilies, "ipFamilies") { text throws(WireError) in
            try ProtobufField.word(text, "")
        }
        ipFamilyPolicy = spec.hasIpFamilyPolicy ? spec.ipFamilyPolicy : nil
        ports = try ProtobufField.each(spec.ports, "ports", ServicePort.init)
        selector = spec.selector
        externalIPs = spec.externalIps
        loadBalancerSourceRanges = spec.loadBalancerSourceRanges
    }

    private mutating func readPolicies(_ spec: ProtoServiceSpec) throws(WireError) {
        sessionAffinity = try ProtobufField.choice(spec.sessionAffinity, "sessionAffinity", default: .none)
        let clientIP = spec.sessionAffinityConfig.clientIp
        if clientIP.hasTimeoutSeconds {
            guard let timeout = UInt32(exactly: clientIP.timeoutSeconds) else {
                throw WireError(field: "sessionAffinityConfig.clientIP.timeoutSeconds", message: "must be 1 to 86400 seconds")
            }
            sessionAffinityTimeoutSeconds = timeout
        }
        externalTrafficPolicy = try ProtobufField.choice(spec.externalTrafficPolicy, "externalTrafficPolicy", default: .cluster)
        internalTrafficPolicy = try ProtobufField.choice(spec.internalTrafficPolicy, "internalTrafficPolicy", default: .cluster)
        healthCheckNodePort = try ProtobufField.port(spec.healthCheckNodePort, "healthCheckNodePort")
        publishNotReadyAddresses = spec.publishNotReadyAddresses
        allocateLoadBalancerNodePorts = spec.hasAllocateLoadBalancerNodePorts ? spec.allocateLoadBalancerNodePorts : true
    }
}

extension ServicePort {
    fileprivate init(_ message: ProtoServicePort) throws(WireError) {
        self.init(
            name: message.name,
            transport: try ProtobufField.choice(message.protocol, "protocol", default: .tcp),
            port: try ProtobufField.port(message.port, "port"),
            targetPort: try IntOrString(target: message.targetPort),
            nodePort: try ProtobufField.port(message.nodePort, "nodePort"))
    }
}

extension IntOrString {
    /// Returns nil for 0 and "", which the API treats as unset.
    fileprivate init?(target message: ProtoIntOrString) throws(WireError) {
        if message.type == 1 {
            guard !message.strVal.isEmpty else { return nil }
            self = .name(message.strVal)
        } else {
            guard let port = UInt16(exactly: message.intVal) else {
                throw WireError(field: "targetPort", message: "must be a port, 1 to 65535, or the name of one")
            }
            guard port != 0 else { return nil }
            self = .number(port)
        }
    }
}
