internal import Model
internal import Text

/// `/statusz`: since when the program runs, and which it is.
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

    /// Text, unless JSON is asked for.
    func response(accept: String) -> StatusResponse { ComponentPage("Statusz", text: text, json: jsonText).response(accept: accept) }

    private var uptime: Int64 { start.uptime.duration(to: now.uptime).components.seconds }

    private var text: String {
        let minutes = uptime / 60
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return """

            Started  \(start.wall.unixDate)
            Up  \(minutes / 60) hr \(two(minutes % 60)) min \(two(uptime % 60)) sec
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
