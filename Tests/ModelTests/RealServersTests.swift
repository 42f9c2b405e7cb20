import Model
import Testing

@Suite struct `Real servers` {
    private func server(_ number: UInt32, weight: UInt32 = 1) -> RealServer {
        RealServer(AddressPort(IPAddress(v4: number), 80), weight: weight)
    }

    private func location(_ number: UInt32) -> AddressPort { server(number).location }

    @Test func `are the first of each location, sorted`() {
        let servers = RealServers([server(3), server(1, weight: 5), server(2), server(1, weight: 7), server(3, weight: 9)])
        #expect(Array(servers) == [server(1, weight: 5), server(2), server(3)])
        #expect(servers == [server(1, weight: 5), server(2), server(3)])
    }

    @Test func `are found, replaced, added and removed by location`() {
        var servers: RealServers = [server(2), server(4), server(6)]
        let found = (0...7).filter { servers[location($0)]?.location == location($0) }
        #expect(found == [2, 4, 6])
        servers[location(4)]?.weight = 0
        servers[location(1)] = server(1)
        servers[location(7)] = server(7)
        servers[location(2)] = nil
        servers[location(5)] = nil
        #expect(Array(servers) == [server(1), server(4, weight: 0), server(6), server(7)])
    }

    /// A dictionary is the model.
    @Test func `change like a dictionary`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let before = (0..<UInt32.random(in: 0...12, using: &generator)).map { _ in server(.random(in: 0...15, using: &generator)) }
            var servers = RealServers(before)
            var model = Dictionary(before.map { ($0.location, $0) }, uniquingKeysWith: { first, _ in first })
            var changes: [AddressPort: RealServer?] = [:]
            for _ in 0..<Int.random(in: 0...6, using: &generator) {
                let number = UInt32.random(in: 0...15, using: &generator)
                changes.updateValue(Bool.random(using: &generator) ? server(number, weight: 2) : nil, forKey: location(number))
            }
            servers.apply(changes)
            for (location, change) in changes { model[location] = change }
            #expect(Array(servers) == model.values.sorted { $0.location < $1.location }, "\(before) \(changes)")
        }
    }

    @Test func `are compared in pairs by location`() {
        let (mine, other): (RealServers, RealServers) = (
            [server(1), server(2), server(5)], [server(0), server(2, weight: 3), server(6), server(7)]
        )
        var pairs: [[UInt32?]] = []
        mine.compare(with: other) { pairs.append([$0?.weight, $1?.weight]) }
        #expect(pairs == [[nil, 1], [1, nil], [1, 3], [1, nil], [nil, 1], [nil, 1]])
        #expect(!mine.isAlike(other) { _, _ in true })
        #expect(mine.isAlike(mine) { $0 == $1 })
        #expect(!mine.isAlike([server(1), server(2), server(4)]) { _, _ in true })
        #expect(!mine.isAlike(mine) { first, _ in first.location != location(5) })
    }

    @Test func `keep the values that few have`() {
        var server = RealServer(location(1), forwarding: .tunnel, upperThreshold: 9, lowerThreshold: 3)
        server.connections = .init(active: 1, inactive: 2)
        server.drainingSince = .seconds(4)
        server.slowStartSince = .seconds(5)
        #expect(server.forwarding == .tunnel && server.upperThreshold == 9 && server.lowerThreshold == 3)
        #expect(server.connections == .init(active: 1, inactive: 2))
        #expect(server.drainingSince == .seconds(4) && server.slowStartSince == .seconds(5))
        (server.forwarding, server.upperThreshold, server.lowerThreshold) = (.masquerade, 0, 0)
        (server.connections, server.drainingSince, server.slowStartSince) = (nil, nil, nil)
        #expect(server == RealServer(location(1)), "values that are the default again do not differ")
    }

    @Test func `take 64 bytes each`() {
        #expect(MemoryLayout<RealServer>.stride == 64)
    }
}
