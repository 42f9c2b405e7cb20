import Foundation
import Kubernetes
import Testing

@testable import KubernetesAPI

@Suite struct `A time` {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (1_767_225_600, "2026-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"), (1_709_251_199, "2024-02-29T23:59:59Z"), (-1, "1969-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"), (-62_135_596_800, "0001-01-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
    ])
    func `has the format of JSON`(seconds: Int, text: String) {
        #expect(APITime.text(secondsSince1970: Int64(seconds)) == text)
    }

    @Test func `agrees with Foundation over all years`() {
        let format = Date.ISO8601FormatStyle()
        for seconds in stride(from: -62_135_596_800, through: 253_402_300_799, by: 86_400 * 997 + 12_345) {
            // Foundation uses the Julian calendar before 1582.
            guard seconds > -12_219_292_800 else { continue }
            #expect(APITime.text(secondsSince1970: Int64(seconds)) == Date(timeIntervalSince1970: Double(seconds)).formatted(format))
        }
    }

    @Test(arguments: [Int64.min, Int64.max, -62_135_596_801, 253_402_300_800]) func `outside the years 1 to 9999 is refused`(seconds: Int64)
    {
        #expect(APITime.text(secondsSince1970: seconds) == nil)
    }

    @Test func `that is zero means unset, and one out of range is a problem`() throws {
        var service = ProtoService()
        service.metadata = WatchFrames.metadata("web")
        service.metadata.creationTimestamp = ProtoTime()
        #expect(try Service.read(ProtobufObject(WireBytes(WatchFrames.bytes(service)))).object.metadata.creationTimestamp == nil)
        service.metadata.deletionTimestamp.seconds = 1_767_225_600
        #expect(
            try Service.read(ProtobufObject(WireBytes(WatchFrames.bytes(service)))).object.metadata.deletionTimestamp
                == Time("2026-01-01T00:00:00Z"))
        service.metadata.deletionTimestamp.seconds = .max
        #expect(throws: WireError(field: "metadata.deletionTimestamp", message: "must be a time of the years 1 to 9999")) {
            try Service.read(ProtobufObject(WireBytes(WatchFrames.bytes(service))))
        }
    }
}
