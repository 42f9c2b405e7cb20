internal import Kubernetes
internal import Model

/// The settings from the annotations of a Service and its slices, as far as this node's kernel supports them.
struct ServiceAnnotations: Hashable {
    var scheduler: Scheduler
    var schedulerFlags: VirtualServer.Flags
    /// For UDP ports only.
    var onePacket = false
    /// Number of leading bits of a client's address that session affinity compares.
    var affinityPrefix: [IPFamily: UInt8] = [:]
    var drainTimeout: Duration?
    var slowStart: Duration?
    var upperThreshold: UInt32 = 0
    var lowerThreshold: UInt32 = 0
    /// Weights of the Service, for endpoints without a weight in their slice's annotation.
    private var weights = EndpointWeights()
    /// Weights by slice.
    private var sliceWeights: [NamespacedName: EndpointWeights] = [:]

    /// The settings without annotations.
    init(_ settings: TranslationSettings) {
        scheduler = settings.scheduler
        schedulerFlags = SchedulerFlags.flags(of: settings.scheduler)
    }

    /// - Parameter invalid: invalid annotations are added to it.
    init(
        _ service: Service, _ slices: some Collection<EndpointSlice>, _ settings: TranslationSettings, invalid: inout Set<InvalidAnnotation>
    ) {
        self.init(settings)
        // Almost all Services have no annotations.
        if !service.metadata.annotations.isEmpty {
            var reader = AnnotationReader(service.metadata)
            readScheduler(&reader, settings)
            readLimits(&reader)
            readWeights(&reader)
            readPacketsAndAffinity(&reader, service)
            reader.addUnknown(except: ServiceAnnotations.allowedOnServices)
            invalid.formUnion(reader.invalid)
        }
        for index in slices.indices where slices[index].metadata.annotations.contains(where: { $0.key.hasPrefix(Annotation.prefix) }) {
            let slice = slices[index]
            var reader = AnnotationReader(slice.metadata, slice: slice.metadata.namespacedName)
            sliceWeights[slice.metadata.namespacedName] = EndpointWeights(&reader)
            reader.addUnknown(except: [.weights])
            invalid.formUnion(reader.invalid)
        }
        useWeightedScheduler(service, settings, &invalid)
    }

    private static let allowedOnServices: Set<Annotation> = [
        .scheduler, .schedulerFlags, .onePacket, .affinityGranularity, .drainTimeout, .slowStart, .upperThreshold, .lowerThreshold,
        .weights,
    ]

    // MARK: Values in the kernel

    /// Returns the weight of an endpoint in the kernel.
    ///
    /// - Parameter slice: the slice that lists the endpoint.
    func weight(of endpoint: Endpoint, in slice: EndpointSlice, at address: IPAddress) -> UInt32 {
        let ofSlice = sliceWeights.isEmpty ? nil : sliceWeights[slice.metadata.namespacedName]?.weight(of: endpoint, at: address)
        let configured = ofSlice ?? weights.weight(of: endpoint, at: address)
        return (configured ?? 1) * (slowStart == nil ? 1 : ServiceAnnotations.slowStartScale)
    }

    /// The factor on weights with slow start, which leaves room for steps below the full weight.
    static let slowStartScale: UInt32 = 100

    /// Returns the flags of a virtual server.
    func flags(_ transport: Transport, hasAffinity: Bool) -> VirtualServer.Flags {
        var flags = schedulerFlags
        if hasAffinity { flags.insert(.persistent) }
        if onePacket, transport == .udp { flags.insert(.onePacket) }
        return flags
    }

    // MARK: Reading

    private mutating func readScheduler(_ reader: inout AnnotationReader, _ settings: TranslationSettings) {
        let requested = reader.read(SchedulerRequest.annotation(of: reader.metadata)) { text throws(AnnotationProblem) in
            guard let scheduler = Scheduler(text), settings.schedulers.contains(scheduler) else {
                throw .init("is not available in this node's kernel, which has \(settings.schedulers.map(\.name).joined(separator: ", "))")
            }
            return scheduler
        }
        if let requested {
            scheduler = requested
            schedulerFlags = SchedulerFlags.flags(of: requested)
        }
        let hasOwnFlags = reader.metadata[.schedulerFlags] != nil
        let flags = reader.read(hasOwnFlags ? .schedulerFlags : .kubeRouterSchedulerFlags) {
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
            reader.addInvalid(.lowerThreshold, "must not be above \(Annotation.upperThreshold.rawValue), which is \(upperThreshold)")
            lowerThreshold = 0
        }
    }

    private mutating func readWeights(_ reader: inout AnnotationReader) { weights = EndpointWeights(&reader) ?? EndpointWeights() }

    private mutating func readPacketsAndAffinity(_ reader: inout AnnotationReader, _ service: Service) {
        onePacket = reader.read(.onePacket, AnnotationReader.flag) ?? false
        if onePacket, !service.ports.contains(where: { $0.transport == .udp }) {
            reader.addInvalid(.onePacket, "requires a UDP port, and the Service has none")
        }
        affinityPrefix = reader.read(.affinityGranularity, SessionAffinity.prefixes) ?? [:]
        if !affinityPrefix.isEmpty, service.sessionAffinity != .clientIP {
            reader.addInvalid(.affinityGranularity, "requires spec.sessionAffinity: ClientIP")
        }
    }

    // MARK: Weights

    /// Replaces rr and lc, which ignore weights, by their weighted equivalents wrr and wlc if weights or slow start are set.
    private mutating func useWeightedScheduler(_ service: Service, _ settings: TranslationSettings, _ invalid: inout Set<InvalidAnnotation>)
    {
        let hasWeights = !weights.isEmpty || sliceWeights.values.contains { !$0.isEmpty }
        guard hasWeights || slowStart != nil else { return }
        var reader = AnnotationReader(service.metadata)
        let weighted = scheduler.weightedEquivalent
        if settings.schedulers.contains(weighted) {
            scheduler = weighted
        } else {
            reader.addInvalid(
                slowStart == nil ? .weights : .slowStart, "requires scheduler \(weighted), which is not available in this node's kernel")
            slowStart = nil
        }
        if slowStart != nil, !scheduler.isWeighted {
            reader.addInvalid(.slowStart, "requires a weighted scheduler such as wrr or wlc, not \(scheduler)")
            slowStart = nil
        }
        invalid.formUnion(reader.invalid)
    }
}

extension EndpointWeights {
    /// Returns nil if the annotation is missing.
    fileprivate init?(_ reader: inout AnnotationReader) {
        var problem: AnnotationProblem?
        guard let weights = reader.read(.weights, { text in EndpointWeights(text, problem: &problem) }) else { return nil }
        if let problem { reader.addInvalid(.weights, problem.reason) }
        self = weights
    }
}
