/// A page that components of Kubernetes tell of themselves, for people or as an object of `config.k8s.io/v1beta1`.
struct ComponentPage {
    /// `Statusz`
    private let kind: String
    private let text: String
    private let json: String

    /// - Parameter text: what stands below the heading.
    init(_ kind: String, text: String, json: String) {
        self.kind = kind
        self.text = text
        self.json = json
    }

    /// Text, unless the JSON of the version is asked for that there is.
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
