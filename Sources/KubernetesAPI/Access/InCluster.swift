/// Access to the API server from inside a pod
/// ([Accessing the API from a Pod](https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/)).
public enum InCluster {
    /// The directory where the kubelet mounts the service account's credentials.
    public static let serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// Requires `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, and the files `token` and `ca.crt` of the service account.
    public static func access(
        environment: [String: String], serviceAccount: String = InCluster.serviceAccount
    ) throws(AccessError) -> APIAccess {
        let host = try required("KUBERNETES_SERVICE_HOST", of: environment)
        let text = try required("KUBERNETES_SERVICE_PORT", of: environment)
        guard let port = UInt16(text), port != 0 else {
            throw AccessError(source: "environment", field: "KUBERNETES_SERVICE_PORT", value: text, message: "must be a port, 1 to 65535")
        }
        // Read now, so that a missing mount is reported at startup and not as a rejected request.
        _ = try CredentialFile.read("\(serviceAccount)/token")
        _ = try CredentialFile.read("\(serviceAccount)/ca.crt")
        return APIAccess(
            server: ServerAddress(isSecure: true, host: host, port: Int(port)),
            certificateAuthority: .file("\(serviceAccount)/ca.crt"), authentication: .tokenFile("\(serviceAccount)/token"))
    }

    private static func required(_ name: String, of environment: [String: String]) throws(AccessError) -> String {
        guard let value = environment[name], !value.isEmpty else {
            throw AccessError(
                source: "environment", field: name,
                message: "is not set: outside of a pod, set --kubeconfig, --master or --manifests")
        }
        return value
    }
}
