/// The published field numbers of the types that are served, from the generated.proto files of Kubernetes 1.36.
///
/// A line is number, JSON name and type. `[T]` is repeated; `T?` is a pointer in Go and is written only if it is set, and everything else
/// is always written, as in gogo-protobuf. `map` has strings as values, `quantities` has quantities.
///
/// It is written by hand and independent of the program's own decoder, so that each verifies the other.
enum ProtobufTable {
    static let text = meta + core + discovery + events

    /// k8s.io/apimachinery
    private static let meta = """
        message Unknown
        1 typeMeta TypeMeta
        2 raw bytes
        3 contentEncoding string
        4 contentType string
        message TypeMeta
        1 apiVersion string
        2 kind string
        message WatchEvent
        1 type string
        2 object RawExtension
        message RawExtension
        1 raw bytes
        message ListMeta
        1 selfLink string
        2 resourceVersion string
        3 continue string
        4 remainingItemCount int?
        message ObjectMeta
        1 name string
        2 generateName string
        3 namespace string
        4 selfLink string
        5 uid string
        6 resourceVersion string
        7 generation int
        8 creationTimestamp time
        9 deletionTimestamp time?
        10 deletionGracePeriodSeconds int?
        11 labels map
        12 annotations map
        13 ownerReferences [OwnerReference]
        14 finalizers [string]
        17 managedFields [ManagedFieldsEntry]
        message OwnerReference
        1 kind string
        3 name string
        4 uid string
        5 apiVersion string
        6 controller bool?
        7 blockOwnerDeletion bool?
        message ManagedFieldsEntry
        1 manager string
        2 operation string
        3 apiVersion string
        4 time time?
        6 fieldsType string
        7 fieldsV1 json?
        8 subresource string
        message Condition
        1 type string
        2 status string
        3 observedGeneration int
        4 lastTransitionTime time
        5 reason string
        6 message string
        message Status
        1 metadata ListMeta
        2 status string
        3 message string
        4 reason string
        5 details StatusDetails?
        6 code int
        message StatusDetails
        1 name string
        2 group string
        3 kind string
        4 causes [StatusCause]
        5 retryAfterSeconds int
        6 uid string
        message StatusCause
        1 reason string
        2 message string
        3 field string

        """

    /// k8s.io/api/core/v1
    private static let core = """
        message Service
        1 metadata ObjectMeta
        2 spec ServiceSpec
        3 status ServiceStatus
        message ServiceSpec
        1 ports [ServicePort]
        2 selector map
        3 clusterIP string
        4 type string
        5 externalIPs [string]
        7 sessionAffinity string
        8 loadBalancerIP string
        9 loadBalancerSourceRanges [string]
        10 externalName string
        11 externalTrafficPolicy string
        12 healthCheckNodePort int
        13 publishNotReadyAddresses bool
        14 sessionAffinityConfig SessionAffinityConfig?
        17 ipFamilyPolicy string?
        18 clusterIPs [string]
        19 ipFamilies [string]
        20 allocateLoadBalancerNodePorts bool?
        21 loadBalancerClass string?
        22 internalTrafficPolicy string?
        23 trafficDistribution string?
        message ServicePort
        1 name string
        2 protocol string
        3 port int
        4 targetPort intOrString
        5 nodePort int
        6 appProtocol string?
        message SessionAffinityConfig
        1 clientIP ClientIPConfig?
        message ClientIPConfig
        1 timeoutSeconds int?
        message ServiceStatus
        1 loadBalancer LoadBalancerStatus
        2 conditions [Condition]
        message LoadBalancerStatus
        1 ingress [LoadBalancerIngress]
        message LoadBalancerIngress
        1 ip string
        2 hostname string
        3 ipMode string?
        4 ports [PortStatus]
        message PortStatus
        1 port int
        2 protocol string
        3 error string?
        message Node
        1 metadata ObjectMeta
        2 spec NodeSpec
        3 status NodeStatus
        message NodeSpec
        1 podCIDR string
        2 externalID string
        3 providerID string
        4 unschedulable bool
        5 taints [Taint]
        7 podCIDRs [string]
        message Taint
        1 key string
        2 value string
        3 effect string
        4 timeAdded time?
        message NodeStatus
        1 capacity quantities
        2 allocatable quantities
        3 phase string
        4 conditions [NodeCondition]
        5 addresses [NodeAddress]
        6 daemonEndpoints NodeDaemonEndpoints
        7 nodeInfo NodeSystemInfo
        9 volumesInUse [string]
        message NodeCondition
        1 type string
        2 status string
        3 lastHeartbeatTime time
        4 lastTransitionTime time
        5 reason string
        6 message string
        message NodeAddress
        1 type string
        2 address string
        message NodeDaemonEndpoints
        1 kubeletEndpoint DaemonEndpoint
        message DaemonEndpoint
        1 Port int
        message NodeSystemInfo
        1 machineID string
        2 systemUUID string
        3 bootID string
        4 kernelVersion string
        5 osImage string
        6 containerRuntimeVersion string
        7 kubeletVersion string
        8 kubeProxyVersion string
        9 operatingSystem string
        10 architecture string
        message Namespace
        1 metadata ObjectMeta
        2 spec NamespaceSpec
        3 status NamespaceStatus
        message NamespaceSpec
        1 finalizers [string]
        message NamespaceStatus
        1 phase string
        message ObjectReference
        1 kind string
        2 namespace string
        3 name string
        4 uid string
        5 apiVersion string
        6 resourceVersion string
        7 fieldPath string
        message EventSource
        1 component string
        2 host string

        """

    /// k8s.io/api/discovery/v1
    private static let discovery = """
        message EndpointSlice
        1 metadata ObjectMeta
        2 endpoints [Endpoint]
        3 ports [EndpointPort]
        4 addressType string
        message Endpoint
        1 addresses [string]
        2 conditions EndpointConditions
        3 hostname string?
        4 targetRef ObjectReference?
        5 deprecatedTopology map
        6 nodeName string?
        7 zone string?
        8 hints EndpointHints?
        message EndpointConditions
        1 ready bool?
        2 serving bool?
        3 terminating bool?
        message EndpointHints
        1 forZones [ForZone]
        2 forNodes [ForNode]
        message ForZone
        1 name string
        message ForNode
        1 name string
        message EndpointPort
        1 name string?
        2 protocol string?
        3 port int?
        4 appProtocol string?

        """

    /// k8s.io/api/events/v1
    private static let events = """
        message Event
        1 metadata ObjectMeta
        2 eventTime time
        3 series EventSeries?
        4 reportingController string
        5 reportingInstance string
        6 action string
        7 reason string
        8 regarding ObjectReference
        9 related ObjectReference?
        10 note string
        11 type string
        12 deprecatedSource EventSource
        13 deprecatedFirstTimestamp time
        14 deprecatedLastTimestamp time
        15 deprecatedCount int
        message EventSeries
        1 count int
        2 lastObservedTime time
        """
}
