public import ArgumentParser
public import KubeProxyConfiguration

extension GoDuration: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
