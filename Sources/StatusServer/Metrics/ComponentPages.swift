internal import Model
internal import Text

/// A z-page of Kubernetes components, as text or as an object of `config.k8s.io/v1beta1`.
struct ComponentPage {
    /// `Statusz`
    private let kind: String
    private let text: String
    private let json: String

    /// - Parameter text: The text below the heading.
    init(_ kind: String, text: String, json: String) {
        self.kind = kind
        self.text = text
        self.json = json
    }

    /// Returns text, unless the request accepts JSON of exactly this kind and version.
    func response(accept: String) -> StatusResponse {
        let type = "application/json;g=config.k8s.io;v=v1beta1;as=\(kind)"
        let isJSON = accept.split(separator: ",").contains { wanted in
            Set(wanted.filter { $0 != " " }.split(separator: ";")) == Set(type.split(separator: ";"))
        }
        return StatusResponse(
            status: 200, headers: [.init("Content-Type", isJSON ? type : "text/plain; charset=utf-8")], body: isJSON ? json : heading + text
        )
    }

    private var heading: String {
        """

        kube-proxy \(kind.lowercased())
        Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.

        """
    }
}

/// `/flagz`: flags and their values.
struct FlagsPage {
    let flags: [String: String]

    /// Returns text, unless the request accepts JSON.
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

/// `/statusz`: the start time and the version of the program.
struct StatusPage {
    private let content: MetricsRoutes.Content
    private let paths: [String]
    private let start: Moment
    private let now: Moment

    init(_ content: MetricsRoutes.Content, paths: [String], start: Moment, now: Moment) {
        self.content = content
        self.paths = paths
        self.start = start
        self.now = now
    }

    /// Returns text, unless the request accepts JSON.
    func response(accept: String) -> StatusResponse { ComponentPage("Statusz", text: text, json: jsonText).response(accept: accept) }

    private var uptime: Int64 { start.uptime.duration(to: now.uptime).components.seconds }

    private var text: String {
        let minutes = uptime / 60
        func twoDigits(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return """

            Started  \(start.wall.unixDate)
            Up  \(minutes / 60) hr \(twoDigits(minutes % 60)) min \(twoDigits(uptime % 60)) sec
            Binary version  \(content.version)
            Emulation version  \(content.emulates)
            Paths  \(paths.joined(separator: " "))

            """
    }

    private var jsonText: String {
        """
        {
          "kind": "Statusz",
          "apiVersion": "config.k8s.io/v1beta1",
          "metadata": {
            "name": "kube-proxy"
          },
          "startTime": "\(WallTime(seconds: start.wall.seconds).rfc3339)",
          "uptimeSeconds": \(uptime),
          "binaryVersion": "\(content.version)",
          "emulationVersion": "\(content.emulates)",
          "paths": [
        \(paths.map { "    \"\($0)\"" }.joined(separator: ",\n"))
          ]
        }
        """
    }
}
