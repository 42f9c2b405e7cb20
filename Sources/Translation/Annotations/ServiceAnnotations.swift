internal import Kubernetes
internal import Model

/// How a Service has its connections steered: what its annotations and those of its slices say, as far as this kernel can do it.
struct ServiceAnnotations: Hashable {
    var scheduler: Scheduler
    var schedulerFlags: VirtualServer.Flags
    /// Of UDP ports.
    var onePacket = false
    /// Leading bits of a client's address that count for affinity.
    var affinityPrefix: [IPFamily: UInt8] = [:]
    var drainTimeout: Duration?
    var slowStart: Duration?
    var upperThreshold: UInt32 = 0
    var lowerThreshold: UInt32 = 0
    /// Of the Service, for endpoints of which the slices say nothing.
    private var weights = EndpointWeights()
    /// By slice.
    private var sliceWeights: [NamespacedName: EndpointWeights] = [:]

    /// Without a word from anybody.
    init(_ settings: TranslationSettings) {
        scheduler = settings.scheduler
        schedulerFlags = SchedulerFlags.flags(of: settings.scheduler)
    }

    /// - Parameter invalid: takes up annotations that cannot be heeded.
    init(
        _ service: Service, _ slices: some Collection<EndpointSlice>, _ settings: TranslationSettings, invalid: inout Set<InvalidAnnotation>
    ) {
        self.init(settings)
        // Almost all Services say nothing.
        if !service.metadata.annotations.isEmpty {
            var reader = AnnotationReader(service.metadata)
            readScheduler(&reader, settings)
            readLimits(&reader)
            readWeights(&reader)
            readPacketsAndAffinity(&reader, service)
            reader.refuseUnknown(except: ServiceAnnotations.ofServices)
            invalid.formUnion(reader.invalid)
        }
        for slice in slices where slice.metadata.annotations.contains(where: { $0.key.hasPrefix(Annotation.prefix) }) {
            var reader = AnnotationReader(slice.metadata, slice: slice.metadata.namespacedName)
            sliceWeights[slice.metadata.namespacedName] = EndpointWeights(&reader)
            reader.refuseUnknown(except: [.weights])
            invalid.formUnion(reader.invalid)
        }
        useWeightedScheduler(service, settings, &invalid)
    }

    private static let ofServices: Set<Annotation> = [
        .scheduler, .schedulerFlags, .onePacket, .affinityGranularity, .drainTimeout, .slowStart, .upperThreshold, .lowerThreshold,
        .weights,
    ]

    // MARK: What the kernel gets

    /// The weight of an endpoint in the kernel.
    ///
    /// - Parameter slice: which lists it.
    func weight(of endpoint: Endpoint, in slice: EndpointSlice, at address: IPAddress) -> UInt32 {
        let own =
            sliceWeights[slice.metadata.namespacedName]?.weight(of: endpoint, at: address) ?? weights.weight(of: endpoint, at: address)
        return (own ?? 1) * (slowStart == nil ? 1 : ServiceAnnotations.slowStartScale)
    }

    /// A weight that rises needs steps to do so in.
    static let slowStartScale: UInt32 = 100

    /// Flags of a virtual server.
    func flags(_ transport: Transport, hasAffinity: Bool) -> VirtualServer.Flags {
        var flags = schedulerFlags
        if hasAffinity { flags.insert(.persistent) }
        if onePacket, transport == .udp { flags.insert(.onePacket) }
        return flags
    }

    // MARK: Reading

    private mutating func readScheduler(_ reader: inout AnnotationReader, _ settings: TranslationSettings) {
        let own = reader.metadata[.scheduler] != nil
        let name = reader.read(own ? .scheduler : .kubeRouterScheduler) { text throws(AnnotationProblem) in
            guard let scheduler = Scheduler(text), settings.schedulers.contains(scheduler) else {
                throw .init("is not available in this node's kernel, which has \(settings.schedulers.map(\.name).joined(separator: ", "))")
            }
            return scheduler
        }
        if let name {
            scheduler = name
            schedulerFlags = SchedulerFlags.flags(of: name)
        }
        let ownFlags = reader.metadata[.schedulerFlags] != nil
        let flags = reader.read(ownFlags ? .schedulerFlags : .kubeRouterSchedulerFlags) {
            [scheduler] text throws(AnnotationProblem) in
            try SchedulerFlags.flags(text, of: scheduler)
        }
        if let flags { schedulerFlags = flags }
    }

    private mutating func readLimits(_ reader: inout AnnotationReader) {
        drainTimeout = reader.read(.drainTimeout) { text throws(AnnotationProblem) in
            try AnnotationReader.duration(text, in: 0...604_800)
        }
        slowStart = reader.read(.slowStart) { text throws(AnnotationProblem) in try AnnotationReader.duration(text, in: 0...3600) }
        if slowStart == .zero { slowStart = nil }
        func threshold(_ text: String) throws(AnnotationProblem) -> UInt32 {
            try AnnotationReader.number(text, in: 0...UInt32(Int32.max))
        }
        upperThreshold = reader.read(.upperThreshold, threshold) ?? 0
        lowerThreshold = reader.read(.lowerThreshold, threshold) ?? 0
        if lowerThreshold > upperThreshold {
            reader.refuse(.lowerThreshold, "must not be above \(Annotation.upperThreshold.rawValue), which is \(upperThreshold)")
            lowerThreshold = 0
        }
    }

    private mutating func readWeights(_ reader: inout AnnotationReader) { weights = EndpointWeights(&reader) ?? EndpointWeights() }

    private mutating func readPacketsAndAffinity(_ reader: inout AnnotationReader, _ service: Service) {
        onePacket = reader.read(.onePacket, AnnotationReader.flag) ?? false
        if onePacket, !service.ports.contains(where: { $0.transport == .udp }) {
            reader.refuse(.onePacket, "requires a UDP port, and the Service has none")
        }
        affinityPrefix = reader.read(.affinityGranularity, SessionAffinity.prefixes) ?? [:]
        if !affinityPrefix.isEmpty, service.sessionAffinity != .clientIP {
            reader.refuse(.affinityGranularity, "requires spec.sessionAffinity: ClientIP")
        }
    }

    // MARK: Weights

    /// rr and lc take no notice of weights: where those count, wrr and wlc stand in, which are the same but for that.
    private mutating func useWeightedScheduler(_ service: Service, _ settings: TranslationSettings, _ invalid: inout Set<InvalidAnnotation>)
    {
        let hasWeights = !weights.isEmpty || sliceWeights.values.contains { !$0.isEmpty }
        guard hasWeights || slowStart != nil else { return }
        var reader = AnnotationReader(service.metadata)
        let weighted = scheduler.weightedEquivalent
        if settings.schedulers.contains(weighted) {
            scheduler = weighted
        } else {
            reader.refuse(
                slowStart == nil ? .weights : .slowStart, "requires scheduler \(weighted), which is not available in this node's kernel")
            slowStart = nil
        }
        if slowStart != nil, !scheduler.sharesByWeight {
            reader.refuse(.slowStart, "requires a weighted scheduler such as wrr or wlc, not \(scheduler)")
            slowStart = nil
        }
        invalid.formUnion(reader.invalid)
    }
}

extension EndpointWeights {
    /// Nil where there is no such annotation.
    fileprivate init?(_ reader: inout AnnotationReader) {
        var problem: AnnotationProblem?
        guard let weights = reader.read(.weights, { text in EndpointWeights(text, problem: &problem) }) else { return nil }
        if let problem { reader.refuse(.weights, problem.reason) }
        self = weights
    }
}
