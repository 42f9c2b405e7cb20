import Testing

@testable import KubernetesAPI

struct CredentialFreshnessTests {
    private var freshness = CredentialFreshness()

    @Test mutating func `Files are read again after a minute, and immediately after a refusal`() {
        #expect(freshness.isDue(at: .zero, secondsSince1970: 0))
        freshness.refreshed(at: .seconds(1))
        #expect(!freshness.isDue(at: .seconds(60), secondsSince1970: 0))
        #expect(freshness.isDue(at: .seconds(61), secondsSince1970: 0))
        freshness.refreshed(at: .seconds(61))
        freshness.refused()
        #expect(freshness.isDue(at: .seconds(62), secondsSince1970: 0))
    }

    @Test mutating func `Credentials are used until they expire or, without expiration, until they are refused`() {
        freshness.refreshed(at: .zero, expiring: true, expiration: 1000)
        #expect(!freshness.isDue(at: .seconds(900), secondsSince1970: 900))
        #expect(freshness.isDue(at: .seconds(1), secondsSince1970: 996))
        freshness.refreshed(at: .zero, expiring: true, expiration: nil)
        #expect(!freshness.isDue(at: .seconds(1_000_000), secondsSince1970: 1e12))
        freshness.refused()
        #expect(freshness.isDue(at: .zero, secondsSince1970: 0))
    }
}
