internal import Text

/// `/flagz`: flags and their values.
struct FlagsPage {
    let flags: [String: String]

    /// Text, unless JSON is asked for.
    func response(accept: String) -> StatusResponse { ComponentPage("Flagz", text: text, json: json).response(accept: accept) }

    private var sorted: [(key: String, value: String)] { flags.sorted { $0.key < $1.key } }

    private var text: String { sorted.map { "\($0.key)=\($0.value)\n" }.joined() }

    private var json: String {
        let lines = sorted.map { "    \($0.key.jsonQuoted): \($0.value.jsonQuoted)" }
        return """
            {
              "kind": "Flagz",
              "apiVersion": "config.k8s.io/v1beta1",
              "metadata": {
                "name": "kube-proxy"
              },
              "flags": {
            \(lines.joined(separator: ",\n"))
              }
            }
            """
    }
}
