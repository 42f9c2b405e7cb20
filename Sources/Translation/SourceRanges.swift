internal import Model
internal import Text

/// Which clients a load balancer lets in (`Service.spec.loadBalancerSourceRanges`), in one family.
enum SourceRanges: Hashable {
    case anyone
    /// No range of the family means nobody.
    case only([CIDR])

    /// Ranges of one family from the list of a Service: what does not parse counts as a restriction that lets nobody in.
    ///
    /// A list for one family alone does not open the other: a restricted Service stays restricted. Only where it says that anyone may come, in
    /// either family, is a family without a range of its own open.
    init(_ texts: [String], _ family: IPFamily) {
        let written = texts.map { $0.trimmed }.filter { !$0.isEmpty }
        let ranges = written.compactMap { CIDR($0) }
        let ours = ranges.filter { $0.family == family }
        let deciding = ours.isEmpty ? ranges : ours
        if written.isEmpty || deciding.contains(where: { $0.prefixLength == 0 }) {
            self = .anyone
        } else {
            self = .only(ours)
        }
    }
}
