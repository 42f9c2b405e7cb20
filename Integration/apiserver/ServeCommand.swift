internal import APIServerForTests
internal import ArgumentParser
internal import FoundationEssentials
internal import NIOSSL

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the in-memory API server until it is terminated.",
        discussion: """
            Services, EndpointSlices, Nodes, Namespaces and Events, in JSON and protobuf, over TLS with HTTP/2 and HTTP/1.1; over plain \
            HTTP/1.1 without certificates. It accepts all clients unless a token or certificates are required. Prints a line `serving URL` when it listens.

            Requests to these paths, which no real API server has, make it misbehave:
              POST /_test/faults     {"call":"watch","resource":"services","fault":"cut","afterBytes":100,"count":1}
                                     call: get, list, watch, create, replace, patch, delete; fault: cut (afterBytes), status and errorEvent (code, reason, \
            retryAfter), hang, empty, garbage, slow (milliseconds)
              POST /_test/interrupt  {"resource":"services","action":"cut"}
                                     resource "*" for all; action: end, cut, hang, half, garbage, text (text), bookmark (version or offset), deleted \
            (namespace, name), loseDelete (count): the next deletions are not sent to watches
              POST /_test/compact    drops the history: watches from earlier versions get 410
              POST /_test/token      {"token":"new"}; null accepts all clients
              POST /_test/settings   {"streamingLists":"supported|invalid|errorEvent|endless","absent":["nodes"]}
              GET  /_test/requests   the requests so far, ?contains=TEXT; DELETE clears them
              GET  /_test/events     the received Events
              GET  /_test/state      versions, and the number of objects, watches and connections

            EXAMPLE
              apiserver serve --address 10.99.0.1 --certificates /run/api --make-certificates
              curl -k https://10.99.0.1:6443/_test/interrupt -d '{"resource":"endpointslices","action":"cut"}'
            """)

    @Option(help: "The address to listen on.")
    var address = "127.0.0.1"

    @Option(help: "The port to listen on; 0 for any free port.")
    var port = 6443

    @Option(help: ArgumentHelp("Directory of ca.crt, server.crt and server.key; TLS is disabled without it.", valueName: "directory"))
    var certificates: String?

    @Flag(help: "Create a CA, a server and a client certificate there, and a kubeconfig for this server.")
    var makeCertificates = false

    @Option(help: ArgumentHelp("Additional names and addresses of the server certificate.", valueName: "a,b"))
    var names = ""

    @Option(help: ArgumentHelp("File with the token that clients must send.", valueName: "file"))
    var tokenFile: String?

    @Option(
        name: .customLong("certificate-for"),
        help: ArgumentHelp("Prefix of paths for which clients must present a certificate; / for all.", valueName: "path"))
    var certifiedPaths: [String] = []

    @Option(
        help: ArgumentHelp(
            "A JSON List of initial objects, as written by fill --print; can be repeated.", valueName: "file"))
    var load: [String] = []

    @Option(help: ArgumentHelp("Interval of bookmarks in watches; 0 for none.", valueName: "seconds"))
    var bookmarkInterval = 0.0

    @Option(help: ArgumentHelp("Number of events kept for watches from earlier versions.", valueName: "events"))
    var history = 100_000

    @Option(help: ArgumentHelp("Number of events that a watch may lag behind before it is closed.", valueName: "events"))
    var watchLimit = 10_000

    func run() async throws {
        if makeCertificates { try await makeAll() }
        var settings = ServerSettings()
        settings.host = address
        settings.port = port
        settings.bookmarkInterval = bookmarkInterval > 0 ? .seconds(bookmarkInterval) : nil
        settings.historyLimit = history
        settings.watchLimit = watchLimit
        settings.certifiedPaths = certifiedPaths
        let tls = try certificates.map { try TestCertificates(found: $0).server(clients: .optional, offersHTTP2: true) }
        try await TestAPIServer.serving(tls: tls, settings: settings) { server in
            if let tokenFile {
                server.setToken(try String(contentsOfFile: tokenFile, encoding: .utf8).split(whereSeparator: \.isWhitespace).joined())
            }
            for load in load { try server.load(JSON(Array(Data(contentsOf: URL(filePath: load))))) }
            if makeCertificates { try writeKubeconfig(url: server.url) }
            try Output.say("serving \(server.url)")
            while true { try await Task.sleep(for: .seconds(3600)) }
        }
    }

    func validate() throws {
        guard makeCertificates, certificates == nil else { return }
        throw ValidationError("--make-certificates requires --certificates")
    }

    private func makeAll() async throws {
        guard let certificates else { return }
        try FileManager.default.createDirectory(atPath: certificates, withIntermediateDirectories: true)
        let all = [address] + names.split(separator: ",").map(String.init)
        let created = try await TestCertificates(in: certificates, for: all.map { "\(ServeCommand.isAddress($0) ? "IP" : "DNS"):\($0)" })
        try await created.sign("client", subject: "/CN=client")
    }

    private static func isAddress(_ name: String) -> Bool { name.contains(":") || name.allSatisfy { $0.isNumber || $0 == "." } }

    private func writeKubeconfig(url: String) throws {
        guard let certificates else { return }
        let folder = URL(filePath: certificates).standardizedFileURL.path()
        func file(_ name: String) -> JSON { .string(folder.hasSuffix("/") ? "\(folder)\(name)" : "\(folder)/\(name)") }
        var user: JSON = ["client-certificate": file("client.crt"), "client-key": file("client.key")]
        if let tokenFile {
            let token: JSON = .string(URL(filePath: tokenFile).standardizedFileURL.path())
            user = certifiedPaths.isEmpty ? ["tokenFile": token] : user.merging(["tokenFile": token])
        }
        // JSON is YAML too.
        let config: JSON = [
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [["name": "test", "cluster": ["server": .string(url), "certificate-authority": file("ca.crt")]]],
            "users": [["name": "test", "user": user]],
            "contexts": [["name": "test", "context": ["cluster": "test", "user": "test"]]],
        ]
        try Data(config.bytes).write(to: URL(filePath: "\(certificates)/kubeconfig"), options: .atomic)
    }
}
