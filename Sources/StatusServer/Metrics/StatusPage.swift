internal import Model

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

    /// What every page of this kind begins with.
    static func heading(_ name: String) -> String {
        """

        kube-proxy \(name)
        Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.

        """
    }

    static func page(_ body: String) -> StatusResponse {
        StatusResponse(status: 200, headers: [.init("Content-Type", "text/plain; charset=utf-8")], body: body)
    }

    private static let json = "application/json;g=config.k8s.io;v=v1beta1;as=Statusz"

    /// Text, unless the JSON of a version is asked for that there is.
    func response(accept: String) -> StatusResponse {
        let wanted = accept.split(separator: ",").map { String($0.filter { $0 != " " }) }
        guard wanted.contains(where: isJSON) else { return StatusPage.page(text) }
        return StatusResponse(status: 200, headers: [.init("Content-Type", StatusPage.json)], body: jsonText)
    }

    private func isJSON(_ type: String) -> Bool {
        Set(type.split(separator: ";")) == Set(StatusPage.json.split(separator: ";"))
    }

    private var uptime: Int64 { start.uptime.duration(to: now.uptime).components.seconds }

    private var text: String {
        let minutes = uptime / 60
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return StatusPage.heading("statusz") + """

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

/// `/flagz`: flags and their values.
enum FlagsPage {
    static func response(_ flags: [(name: String, value: String)]) -> StatusResponse {
        StatusPage.page(
            StatusPage.heading("flagz")
                + flags.sorted { $0.name < $1.name }.map { "\($0.name)=\($0.value)\n" }.joined())
    }
}
