internal import Kubernetes
internal import Text

extension ObjectMeta {
    /// Whether a label of an object from the API is kept: only those that selectors or Translation use.
    static func isUsed(label key: String) -> Bool {
        key == EndpointSlice.serviceNameLabel || key == Node.zoneLabel || key.hasPrefix("service.kubernetes.io/")
    }

    /// Users may write a megabyte of labels on each Service; beyond this limit, only the labels in use are kept.
    private static let maximumLabelBytes = 16 << 10

    /// Returns all labels, or only those in use if there are too many.
    static func relevantToService(_ labels: [String: String]) -> [String: String] {
        let bytes = labels.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        return bytes <= maximumLabelBytes ? labels : labels.filter { isUsed(label: $0.key) }
    }

    /// Drops the uid and the labels that are not used; annotations are dropped during decoding.
    mutating func narrow() {
        uid = nil
        guard labels.contains(where: { !ObjectMeta.isUsed(label: $0.key) }) else { return }
        labels = Labels(
            Dictionary(
                labels.filter { ObjectMeta.isUsed(label: $0.key) }.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first }))
    }

    /// - Parameter isService: keeps the labels, by which users select Services, and the uid, which Events need.
    init(_ message: ProtoObjectMeta, isService: Bool = false) throws(WireError) {
        self.init(
            name: message.name, namespace: message.namespace, uid: isService && !message.uid.isEmpty ? message.uid : nil,
            labels: Labels(
                isService ? ObjectMeta.relevantToService(message.labels) : message.labels.filter { ObjectMeta.isUsed(label: $0.key) }),
            annotations: Annotation.kept(of: message.annotations))
        creationTimestamp = try ObjectMeta.time(message.creationTimestamp, "creationTimestamp")
        deletionTimestamp = try ObjectMeta.time(message.deletionTimestamp, "deletionTimestamp")
    }

    /// Returns nil for the zero time, which is an empty message.
    private static func time(_ time: ProtoTime, _ field: String) throws(WireError) -> Time? {
        guard time.hasSeconds else { return nil }
        guard let time = Time(secondsSince1970: time.seconds) else {
            throw WireError(field: "metadata.\(field)", message: "must be a time of the years 1 to 9999")
        }
        return time
    }
}

/// A time of the API (`meta/v1` Time) as text, as in JSON: RFC 3339, UTC, in seconds.
enum APITime {
    /// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z in seconds since 1970, the range that the API allows.
    private static let allowed: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// `2026-01-01T00:00:00Z`; nil outside the years 1 to 9999.
    static func text(secondsSince1970 seconds: Int64) -> String? {
        allowed.contains(seconds) ? WallTime(seconds: seconds).rfc3339 : nil
    }
}
