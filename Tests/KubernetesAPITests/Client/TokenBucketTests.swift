import KubernetesAPI
import Testing

struct TokenBucketTests {
    @Test func `A burst goes at once, and then as many a second as allowed`() {
        var bucket = TokenBucket(qps: 5, burst: 3)
        #expect((0..<3).map { _ in bucket.take(at: .zero) } == [.zero, .zero, .zero])
        #expect(bucket.take(at: .zero) == .milliseconds(200))
        #expect(bucket.take(at: .zero) == .milliseconds(400))
        #expect(bucket.take(at: .seconds(1)) == .zero)
    }

    @Test func `What is not used is saved up to the burst`() {
        var bucket = TokenBucket(qps: 10, burst: 2)
        #expect((0..<3).map { _ in bucket.take(at: .seconds(3600)) } == [.zero, .zero, .milliseconds(100)])
    }

    @Test func `Below 0 is no limit, and 0 is client-go's`() {
        var free = TokenBucket(qps: -1, burst: 1)
        #expect((0..<100).allSatisfy { _ in free.take(at: .zero) == .zero })
        var usual = TokenBucket(qps: 0, burst: 0)
        #expect((0..<11).map { _ in usual.take(at: .zero) }.last == .milliseconds(200))
    }
}
