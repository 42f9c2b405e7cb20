internal import KubeProxyConfiguration
internal import Kubernetes
internal import KubernetesAPI
internal import Logging
internal import MetricsRegistry
internal import ServiceLifecycle
internal import StatusServer
internal import Translation
internal import Manifests

/// The source of cluster state: a directory of manifests or an API server.
enum ClusterInput {
    case manifests(ManifestDirectory, path: String)
    case api(APISource, APIEventRecorder, APIClient, RequestMetrics, ServiceIdentities)

    /// Fails with one line if the configuration of the API server connection is invalid; does not check whether it is reachable.
    init(_ configuration: ProxyConfiguration, environment: [String: String], _ logger: Logger) async throws {
        switch configuration.cluster {
        case .manifests(let path):
            let settings = ManifestSettings(serviceClusterIPRanges: configuration.serviceClusterIPRanges)
            self = .manifests(ManifestDirectory(path, settings: settings, logger: logger), path: path)
        case .api(let connection):
            let access = try APIAccess.find(kubeconfig: connection.kubeconfig, master: connection.master, environment: environment)
            let requests = RequestMetrics(host: access.server.authority)
            let client = APIClient(
                access, settings: APIClientSettings(connection), observer: RequestObserver(metrics: requests), logger: logger)
            do throws(AccessError) {
                try await client.prepare()
            } catch {
                await client.close()
                throw error
            }
            var metadata: Logger.Metadata = ["server": "\(access.server)"]
            if let proxy = access.proxy { metadata["proxy"] = "\(proxy)" }
            logger.info("Reading cluster state from API server", metadata: metadata)
            let identities = ServiceIdentities()
            let events = APIEventRecorder(client, hostname: configuration.nodeName, identities: identities, logger: logger)
            let source = APISource(
                client, nodeName: configuration.nodeName, otherNodes: APISource.OtherNodesSettings(configuration), events: events,
                logger: logger)
            self = .api(source, events, client, requests, identities)
        }
    }

    var source: any ClusterSource {
        switch self {
        case .manifests(let directory, _): directory
        case .api(let source, _, _, _, _): source
        }
    }

    /// The recorder of Events; with manifests, problems are only logged.
    var events: any EventRecorder {
        switch self {
        case .manifests: NoEvents()
        case .api(_, let recorder, _, _, _): recorder
        }
    }

    /// The UIDs of Services, by which `kubectl describe` finds their Events; nil without an API server.
    var identities: ServiceIdentities? {
        guard case .api(_, _, _, _, let identities) = self else { return nil }
        return identities
    }

    /// The services of the source, in reverse order of shutdown.
    var services: [any ServiceLifecycle.Service] {
        switch self {
        case .manifests(let directory, _): [SourceService(source: directory)]
        case .api(let source, let recorder, _, _, _): [SourceService(source: source), EventService(recorder: recorder)]
        }
    }

    /// Whether to expect this node's Node object: a directory of manifests need not have it.
    var hasNode: Bool {
        switch self {
        case .manifests: false
        case .api: true
        }
    }

    /// The metrics of the source.
    var metrics: [any MetricFamily] {
        switch self {
        case .manifests: []
        case .api(_, _, _, let requests, _): requests.families
        }
    }

    /// Closes connections after `body`, also if it fails.
    func closing<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            let result = try await body()
            await close()
            return result
        } catch {
            await close()
            throw error
        }
    }

    /// Closes connections; must be the last call.
    func close() async {
        guard case .api(_, _, let client, _, _) = self else { return }
        await client.close()
    }
}

/// A source of objects, as a service of the program.
private struct SourceService: ServiceLifecycle.Service {
    let source: any ClusterSource

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await source.run() }
    }
}

/// The sending of Events, as a service of the program.
private struct EventService: ServiceLifecycle.Service {
    let recorder: APIEventRecorder

    func run() async throws {
        await cancelWhenGracefulShutdown { await recorder.run() }
    }
}

extension APISource.OtherNodesSettings {
    /// Nil if other Nodes are ignored.
    fileprivate init?(_ configuration: ProxyConfiguration) {
        let following: ReflectorSettings.Following
        switch configuration.otherNodeAddresses {
        case .auto: following = .watchUpTo(objects: 1000)
        case .watch: following = .watch
        case .list: following = .relist
        case .ignore: return nil
        }
        let settings = configuration.translationSettings(families: [], hasRandomFully: false)
        self.init(following: following, allowsExternalIP: { settings.allowsExternalIP($0) })
    }
}

extension APIClientSettings {
    init(_ connection: ClientConnection) {
        self.init(
            contentType: ContentType(rawValue: connection.contentType) ?? .protobuf,
            acceptContentTypes: connection.acceptContentTypes.isEmpty ? nil : connection.acceptContentTypes, qps: connection.qps,
            burst: connection.burst, version: programVersion)
    }
}
