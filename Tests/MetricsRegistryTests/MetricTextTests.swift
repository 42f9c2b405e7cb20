import MetricsRegistry
import Testing

@Suite struct `The metrics text format` {
    @Test(arguments: [
        (0.0, "0"), (1, "1"), (0.25, "0.25"), (0.001, "0.001"), (300, "300"), (130_560, "130560"), (1_000_000, "1e+06"),
        (59_228_160, "5.922816e+07"), (1_795_399_354.122354, "1.795399354122354e+09"), (0.00010188800000000001, "0.00010188800000000001"),
        (1.8446744073709552e19, "1.8446744073709552e+19"), (0.00001, "1e-05"), (-2.5, "-2.5"), (.infinity, "+Inf"), (.nan, "NaN"),
    ]) func `formats numbers as Go does`(number: Double, text: String) {
        let gauge = NumberMetric.gauge("a", "A")
        gauge.set(number)
        #expect(gauge.samples == ["a \(text)"])
    }

    @Test func `describes each metric once and omits metrics without samples`() {
        let counter = NumberMetric.counter("b_total", "Bs")
        counter.add(2, ["x": "1", "a": "say \"hi\"\\\n"])
        counter.add(1, ["x": "0", "a": ""])
        let gauge = NumberMetric.gauge("a", "As", start: [.none])
        #expect(
            MetricText.exposition([counter, gauge, NumberMetric.gauge("c", "Cs")]) == #"""
                # HELP a As
                # TYPE a gauge
                a 0
                # HELP b_total Bs
                # TYPE b_total counter
                b_total{a="",x="0"} 1
                b_total{a="say \"hi\"\\\n",x="1"} 2

                """#)
    }

    @Test func `has cumulative buckets of a histogram`() {
        let histogram = Histogram("h", "Hs", bounds: Histogram.exponential(from: 0.5, count: 2), start: [.none])
        for value in [0.5, 0.75, 1, 7] { histogram.observe(value) }
        #expect(
            histogram.samples == [#"h_bucket{le="0.5"} 1"#, #"h_bucket{le="1"} 3"#, #"h_bucket{le="+Inf"} 4"#, "h_sum 9.25", "h_count 4"])
    }

    @Test func `keeps only the latest series when they are replaced`() {
        let gauge = NumberMetric.gauge("g", "Gs")
        gauge.set(1, ["a": "1"])
        gauge.replace([["a": "2"]: 3])
        #expect(gauge.samples == [#"g{a="2"} 3"#])
    }
}
