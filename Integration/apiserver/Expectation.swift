internal import APIServerForTests

/// The expected lines of `ipvsadm -S -n` for Services and EndpointSlices.
struct Expectation {
    private let services: [JSON]
    /// By namespace and Service.
    private let slices: [[String]: [JSON]]
    private let scheduler: String

    init(services: [JSON], slices: [JSON], scheduler: String) {
        self.services = services
        self.slices = Dictionary(grouping: slices) {
            [$0["metadata"]?["namespace"]?.text ?? "", $0["metadata"]?["labels"]?["kubernetes.io/service-name"]?.text ?? ""]
        }
        self.scheduler = scheduler
    }

    var lines: [String] { services.flatMap { lines(for: $0) } }

    private func lines(for service: JSON) -> [String] {
        guard let spec = service["spec"], spec["type"]?.text != "ExternalName" else { return [] }
        let single = spec["clusterIP"]?.text.map { [$0] } ?? []
        let addresses = spec["clusterIPs"]?.items?.compactMap(\.text) ?? single
        let owner = [service["metadata"]?["namespace"]?.text ?? "", service["metadata"]?["name"]?.text ?? ""]
        var lines: [String] = []
        for address in addresses where !address.isEmpty && address != "None" {
            for port in spec["ports"]?.items ?? [] {
                let server = "\(flag(port)) \(Expectation.text(address, port["port"]?.integer ?? 0))"
                lines.append("-A \(server) -s \(scheduler)\(persistence(spec))")
                for endpoint in endpoints(of: slices[owner] ?? [], port, family: address.contains(":") ? "IPv6" : "IPv4") {
                    lines.append("-a \(server) -r \(endpoint) -m -w 1")
                }
            }
        }
        return lines
    }

    private func endpoints(of slices: [JSON], _ port: JSON, family: String) -> [String] {
        slices.filter { $0["addressType"]?.text == family }.flatMap { slice in
            let number = slice["ports"]?.items?.first {
                ($0["name"]?.text ?? "") == (port["name"]?.text ?? "") && transport($0) == transport(port)
            }?["port"]?.integer
            let ready = (slice["endpoints"]?.items ?? []).filter { $0["conditions"]?["ready"]?.bool ?? true }
            return number.map { number in
                ready.compactMap { $0["addresses"]?.items?.first?.text }.map { Expectation.text($0, number) }
            } ?? []
        }
    }

    private func persistence(_ spec: JSON) -> String {
        guard spec["sessionAffinity"]?.text == "ClientIP" else { return "" }
        return " -p \(spec["sessionAffinityConfig"]?["clientIP"]?["timeoutSeconds"]?.integer ?? 10_800)"
    }

    private func transport(_ port: JSON) -> String { port["protocol"]?.text ?? "TCP" }

    private func flag(_ port: JSON) -> String {
        switch transport(port) {
        case "UDP": "-u"
        case "SCTP": "--sctp-service"
        default: "-t"
        }
    }

    private static func text(_ address: String, _ port: Int) -> String {
        address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}
