/// How traffic of this node's pods is told from other traffic (`detectLocalMode`).
enum DetectLocalMode: String, CaseIterable {
    case clusterCIDR = "ClusterCIDR"
    case nodeCIDR = "NodeCIDR"
    case bridgeInterface = "BridgeInterface"
    case interfaceNamePrefix = "InterfaceNamePrefix"
}
