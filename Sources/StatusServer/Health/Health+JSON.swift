internal import FoundationEssentials
internal import Model
internal import Text

extension Health {
    /// What `/healthz` and `/livez` say, with kube-proxy's keys in kube-proxy's order, and `waitingFor` where there is something to wait for.
    ///
    /// - Parameter nodeEligible: nil where the node is not looked at.
    func json(isHealthy: Bool, nodeEligible: Bool?, at now: Moment) -> String {
        let isGood = isHealthy && nodeEligible ?? true
        var fields = [
            "\"lastUpdated\":\"\((isGood ? now.wall : lastUpdated).rfc3339)\"", "\"currentTime\":\"\(now.wall.rfc3339)\"",
        ]
        if let nodeEligible { fields.append("\"nodeEligible\":\(nodeEligible)") }
        fields.append("\"healthy\":\(isHealthy)")
        if !families.isEmpty {
            let status = IPFamily.allCases.compactMap { family in
                families[family].map {
                    "\"\(family.rawValue)\":{\"lastUpdated\":\"\(($0.updated ?? .never).rfc3339)\",\"healthy\":\(self.isHealthy(family, at: now))}"
                }
            }
            fields.append("\"status\":{\(status.joined(separator: ","))}")
        }
        if let waitingFor { fields.append("\"waitingFor\":\(Health.quoted(waitingFor))") }
        return "{\(fields.joined(separator: ","))}"
    }

    /// As a string of JSON.
    private static func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // A string always has a form in JSON.
        return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}
