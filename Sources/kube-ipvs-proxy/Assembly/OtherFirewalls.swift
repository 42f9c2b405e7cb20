internal import KernelDataplane
internal import Logging

/// Other firewalls of this node.
enum OtherFirewalls {
    /// Warns of each chain that may drop packets of Services; changes nothing.
    static func report(for filter: NodePacketFilter, _ logger: Logger) {
        let chains: [DroppingChain]
        do throws(DataplaneError) {
            chains = try filter.droppingChains()
        } catch {
            // The node may work nevertheless.
            logger.warning("Failed to check other firewalls for chains that drop packets", metadata: ["error": "\(error)"])
            return
        }
        for chain in chains {
            logger.warning(
                "Another firewall drops packets",
                metadata: [
                    "family": "\(chain.family)", "table": "\(chain.table)", "chain": "\(chain.chain)", "hook": "\(chain.hook.rawValue)",
                    "cause": "\(chain.cause.rawValue)", "advice": "\(chain.advice)",
                ])
        }
    }
}
