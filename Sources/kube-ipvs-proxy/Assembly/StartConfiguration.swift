internal import Klog
internal import KubeProxyConfiguration
internal import Kubernetes
internal import Logging
internal import ServiceLifecycle
internal import SystemCalls

/// The configuration at startup, from flags and the configuration file.
struct StartConfiguration {
    /// In v1alpha1, as written by `--write-config-to`.
    let effective: KubeProxyConfiguration
    let proxy: ProxyConfiguration
    /// The file of `--config`; nil without it.
    let file: WatchedFile?
    let logger: Logger

    /// Reads the file, if any, and validates the configuration.
    ///
    /// - Parameters:
    ///   - path: of `--config`; empty for none.
    ///   - quiet: for commands whose output is their result.
    init(path: String, _ flags: FlagValues, hostname: String, isForWriting: Bool, quiet: Bool) throws {
        var document: KubeProxyConfiguration.Document?
        file = path.isEmpty ? nil : try WatchedFile(path)
        do {
            if let file { document = try KubeProxyConfiguration.read(try StartConfiguration.text(of: file)) }
            effective = try KubeProxyConfiguration.effective(file: document?.configuration, flags: flags, isForWriting: isForWriting)
            proxy = try ProxyConfiguration(effective, flags, hostname: hostname)
        } catch {
            throw StartConfigurationError(file: file?.path, error: error)
        }
        logger = Logger(
            verbosity: effective.logging.verbosity, format: LogFormat(rawValue: effective.logging.format) ?? .text, quiet: quiet)
        if let strictError = document?.strictError {
            logger.warning(
                "Using lenient decoding as strict decoding failed", metadata: ["file": "\(path)", "error": "\(strictError)"])
        }
        for gate in FeatureGates.unrecognized(in: effective.featureGates) {
            logger.warning("Ignoring unrecognized feature gate", metadata: ["gate": "\(gate)"])
        }
    }

    private static func text(of file: WatchedFile) throws(KubeProxyConfiguration.DecodingError) -> String {
        guard let text = String(validating: file.bytes, as: UTF8.self) else { throw .init("yaml: is not UTF-8 text") }
        return text
    }

}

/// Ends the program when its configuration file changes: the supervisor restarts it, and the kernel continues to serve meanwhile.
struct ConfigurationWatch: ServiceLifecycle.Service {
    let file: WatchedFile

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            if try await file.changed() { throw ConfigurationChanged() }
        }
    }
}

/// The configuration file changed; the text is kube-proxy's.
struct ConfigurationChanged: Error, CustomStringConvertible {
    let description = "content of the proxy server's configuration file was updated"
}

/// A configuration error with its origin: the file or the flags.
struct StartConfigurationError: Error, CustomStringConvertible {
    let file: String?
    let error: any Error

    var description: String {
        if let file { return "\(file): \(error)" }
        guard let error = error as? ConfigurationError, !error.fields.isEmpty else { return "\(error)" }
        return "\(error)\nSet by: \(error.flags.joined(separator: ", "))"
    }
}
