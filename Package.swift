// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "kube-ipvs-proxy",
    products: [
        .executable(name: "kube-ipvs-proxy", targets: ["kube-ipvs-proxy"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-algorithms", from: "1.2.1"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Pure modules: values and rules, without I/O, clock or logging. PackageTests checks this.
        .target(name: "Model", dependencies: [.product(name: "Algorithms", package: "swift-algorithms")]),
        .target(name: "Text"),
        .target(name: "Kubernetes", dependencies: ["Model", "Text", .product(name: "Algorithms", package: "swift-algorithms")]),
        .target(
            name: "Translation",
            dependencies: ["Model", "Kubernetes", "Text", .product(name: "OrderedCollections", package: "swift-collections")]),
        .target(name: "Reconciler", dependencies: ["Model"]),
        .target(
            name: "SyncLoop",
            dependencies: [
                "Model", "Kubernetes", "Translation", "Reconciler", "StatusAPI", .product(name: "HeapModule", package: "swift-collections"),
            ]),
        .target(name: "StatusAPI", dependencies: ["Model", "Text"]),
        .target(name: "StatusTable", dependencies: ["Model", "StatusAPI", "Text"]),

        // Shared by several I/O modules: YAML with limits, and files. Not named `System`, which `canImport(System)` of packages would
        // mistake for Apple's.
        .target(name: "YAML", dependencies: ["Text", .product(name: "Yams", package: "Yams")]),
        .target(
            name: "SystemCalls",
            dependencies: [
                "CMalloc", .product(name: "Logging", package: "swift-log"), .product(name: "SystemPackage", package: "swift-system"),
            ]),

        // The lock that one instance in a network namespace holds.
        .target(
            name: "NamespaceLock", dependencies: ["CMalloc", "StatusAPI", .product(name: "SystemPackage", package: "swift-system")]),

        // Cluster state: manifests and the API server.
        .target(
            name: "Manifests",
            dependencies: ["Model", "Kubernetes", "Text", "SystemCalls", "YAML", .product(name: "Logging", package: "swift-log")]),
        .target(
            name: "KubernetesAPI",
            dependencies: [
                "Model", "Kubernetes", "Text", "SystemCalls", "YAML",
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            exclude: ["Wire/kubernetes.proto", "Wire/regenerate"]),

        // Headers of glibc: the allocator, the program file in memory, and accept4.
        .systemLibrary(name: "CMalloc"),

        // The kernel.
        .systemLibrary(name: "CNetlink", pkgConfig: "libnl-genl-3.0", providers: [.apt(["libnl-3-dev", "libnl-genl-3-dev"])]),
        .target(name: "Netlink", dependencies: ["CNetlink", "SystemCalls", .product(name: "SystemPackage", package: "swift-system")]),
        .target(
            name: "KernelDataplane",
            dependencies: [
                "CNetlink", "Model", "Reconciler", "Netlink", "SystemCalls", "Text",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]),

        // Logging, metrics and status for operators and load balancers.
        .target(name: "Klog", dependencies: ["Text", .product(name: "Logging", package: "swift-log")]),
        .target(name: "MetricsRegistry"),
        .target(
            name: "StatusServer",
            dependencies: [
                "Model", "Kubernetes", "Translation", "Reconciler", "SyncLoop", "MetricsRegistry", "StatusAPI", "Text",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),

        .target(
            name: "Traffic",
            dependencies: [
                "Model", "KernelDataplane", "MetricsRegistry", .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "Logging", package: "swift-log"),
            ]),

        // The program.
        .target(name: "KubeProxyConfiguration", dependencies: ["Model", "Kubernetes", "Text", "Translation", "YAML"]),
        .target(
            name: "NodeProxy",
            dependencies: [
                "Model", "Kubernetes", "Reconciler", "StatusAPI", "SyncLoop",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .target(
            name: "LocalhostNodePorts",
            dependencies: [
                "Model", "Kubernetes",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .executableTarget(
            name: "kube-ipvs-proxy",
            dependencies: [
                "Model", "Kubernetes", "KubernetesAPI", "Translation", "Reconciler", "KernelDataplane", "Klog", "KubeProxyConfiguration",
                "LocalhostNodePorts", "Manifests", "MetricsRegistry", "NamespaceLock", "NodeProxy", "StatusAPI", "StatusServer",
                "StatusTable", "SyncLoop",
                "SystemCalls",
                "Text", "Traffic", "YAML",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),

        // Tests that need neither a kernel with IPVS nor root.
        .target(name: "TestSupport", dependencies: ["Model", "Reconciler"], path: "Tests/TestSupport"),
        .target(
            name: "APIServerForTests",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/APIServerForTests"),
        .testTarget(name: "PackageTests"),
        .testTarget(name: "ModelTests", dependencies: ["Model", "TestSupport"]),
        .testTarget(name: "TextTests", dependencies: ["Text"]),
        .testTarget(name: "SystemCallsTests", dependencies: ["SystemCalls", "CMalloc"]),
        .testTarget(name: "KubernetesTests", dependencies: ["Kubernetes", "Model", "YAML"]),
        .testTarget(
            name: "ManifestsTests",
            dependencies: ["Manifests", "Kubernetes", "Model", "SystemCalls", "YAML", .product(name: "Logging", package: "swift-log")]),
        .testTarget(
            name: "KubernetesAPITests",
            dependencies: [
                "KubernetesAPI", "Kubernetes", "Model", "TestSupport", "APIServerForTests",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .testTarget(name: "NetlinkTests", dependencies: ["Netlink", "CNetlink", .product(name: "SystemPackage", package: "swift-system")]),
        .testTarget(name: "NamespaceLockTests", dependencies: ["NamespaceLock", "StatusAPI"]),
        .testTarget(name: "ReconcilerTests", dependencies: ["Reconciler", "Model", "TestSupport"]),
        .testTarget(
            name: "TranslationTests", dependencies: ["Translation", "KernelDataplane", "Kubernetes", "Model", "Reconciler", "TestSupport"]),
        .testTarget(
            name: "KernelDataplaneTests",
            dependencies: [
                "Reconciler", "KernelDataplane", "Netlink", "CNetlink", "Model", "SystemCalls", "Translation", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .testTarget(
            name: "GoldenTests",
            dependencies: [
                "KernelDataplane", "Kubernetes", "Manifests", "Model", "Reconciler", "Translation", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "KubeProxyConfigurationTests",
            dependencies: ["KubeProxyConfiguration", "Kubernetes", "Model", "TestSupport", "Translation"]),
        .testTarget(
            name: "SyncLoopTests",
            dependencies: ["SyncLoop", "Kubernetes", "Model", "Reconciler", "StatusAPI", "Translation", "TestSupport"]),
        .testTarget(
            name: "NodeProxyTests",
            dependencies: [
                "NodeProxy", "Kubernetes", "Model", "Reconciler", "StatusAPI", "SyncLoop", "Translation", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(name: "KlogTests", dependencies: ["Klog", .product(name: "Logging", package: "swift-log")]),
        .testTarget(name: "TrafficTests", dependencies: ["Traffic", "MetricsRegistry", "Model"]),
        .testTarget(name: "MetricsRegistryTests", dependencies: ["MetricsRegistry"]),
        .testTarget(
            name: "LocalhostNodePortsTests",
            dependencies: [
                "LocalhostNodePorts", "Kubernetes", "Model",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .testTarget(
            name: "StatusServerTests",
            dependencies: [
                "NodeProxy", "StatusServer", "Kubernetes", "MetricsRegistry", "Model", "Reconciler", "SyncLoop", "Text", "Traffic",
                "Translation",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .testTarget(name: "StatusTableTests", dependencies: ["StatusTable", "StatusAPI", "Model", "TestSupport"]),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "Translation", "kube-ipvs-proxy", "Klog", "KubeProxyConfiguration", "KernelDataplane", "Kubernetes", "MetricsRegistry",
                "Model",
                "Reconciler", "StatusAPI", "StatusServer", "StatusTable", "SyncLoop", "SystemCalls", "TestSupport", "Traffic",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .testTarget(
            name: "DeployTests",
            dependencies: [
                "kube-ipvs-proxy", "KubeProxyConfiguration", "Kubernetes", "MetricsRegistry", "Model", "StatusServer", "Traffic", "YAML",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ]),

        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"]),

        // Tests of the program on a kernel with IPVS, and their tools.
        .executableTarget(name: "traffic", path: "Integration/traffic"),
        .executableTarget(
            name: "apiserver",
            dependencies: [
                "APIServerForTests", "Kubernetes", "KubernetesAPI",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Integration/apiserver"),
        .executableTarget(
            name: "bench-state",
            dependencies: [
                "CMalloc", "Kubernetes", "KubernetesAPI", "Manifests", "Model", "Reconciler", "Translation",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Integration/bench/state"),
        .target(
            name: "KernelTestSupport", dependencies: [.product(name: "Subprocess", package: "swift-subprocess")],
            path: "Integration/Support"),
        .testTarget(name: "IntegrationTests", dependencies: ["KernelTestSupport"], path: "Integration/Scenarios"),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "CNetlink", "KernelDataplane", "Kubernetes", "KubernetesAPI", "KubeProxyConfiguration", "Manifests", "Model", "Netlink",
                "MetricsRegistry", "Reconciler", "StatusAPI", "StatusServer", "StatusTable", "Text", "Translation", "YAML",
                "kube-ipvs-proxy",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Integration/fuzz/targets"),
        .testTarget(
            name: "FlowTests", dependencies: ["KernelTestSupport"], path: "Integration/Flows", exclude: ["two-nodes.sh", "elsewhere"]),
    ]
)

/// The fuzzer (`Integration/fuzz/run`): a program whose modules count the edges and regions that they execute. Only with this variable, which is
/// the path of libFuzzer, as no other program can be linked with modules like these.
let fuzzer = Context.environment["KUBE_IPVS_FUZZER"]
if let fuzzer {
    // Only tests can be linked with the parts of a program; as a library, its entry point has another name.
    package.products = []
    package.targets = package.targets.map { target in
        guard target.name == "kube-ipvs-proxy" else { return target }
        return .target(name: target.name, dependencies: target.dependencies)
    }
    package.targets += [
        .systemLibrary(name: "CFuzzer", path: "Integration/fuzz/CFuzzer"),
        .executableTarget(
            name: "fuzz", dependencies: ["CFuzzer", "FuzzTargets"], path: "Integration/fuzz/program",
            linkerSettings: [.unsafeFlags([fuzzer, "-lstdc++"])]),
    ]
}

/// The same compiler settings for every target of this package.
for target in package.targets where target.type != .system {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .treatAllWarnings(as: .error),
    ]
    if target.type != .test, !["traffic", "bench-state", "FuzzTargets", "fuzz"].contains(target.name) {
        target.swiftSettings?.append(.strictMemorySafety())
    }
    if fuzzer != nil {
        target.swiftSettings?.append(.unsafeFlags(["-sanitize=fuzzer", "-profile-generate", "-profile-coverage-mapping"]))
        if target.name == "kube-ipvs-proxy" {
            target.swiftSettings?.append(.unsafeFlags(["-Xfrontend", "-entry-point-function-name", "-Xfrontend", "kube_ipvs_proxy_main"]))
        }
        if [.executable, .test].contains(target.type) {
            target.linkerSettings = (target.linkerSettings ?? []) + [.unsafeFlags(["-profile-generate"])]
        }
    }
}
