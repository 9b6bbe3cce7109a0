import CoreMetrics
import Testing

@testable import Observability

@Suite struct MetricsRegistryTests {
  private func lines(_ registry: MetricsRegistry) -> [Substring] {
    PrometheusText.write(registry.families()).split(separator: "\n")
  }

  @Test func countersAddUpWhoeverMakesThem() {
    let registry = MetricsRegistry(catalogue: [.counter("hits_total", "Hits.", labels: ["route"])])
    for _ in 0..<3 {
      Counter(label: "hits_total", dimensions: [("route", "/a")], factory: registry).increment()
    }
    Counter(label: "hits_total", dimensions: [("route", "/b")], factory: registry).increment(by: 7)
    FloatingPointCounter(label: "hits_total", dimensions: [("route", "/b")], factory: registry)
      .increment(by: 0.5)
    #expect(
      lines(registry).prefix(4) == [
        "# HELP hits_total Hits.", "# TYPE hits_total counter", #"hits_total{route="/a"} 3"#,
        #"hits_total{route="/b"} 7.5"#,
      ])
  }

  @Test func counterNeverGoesDown() {
    let registry = MetricsRegistry(catalogue: [])
    let counter = FloatingPointCounter(label: "x_total", factory: registry)
    counter.increment(by: 2)
    counter.increment(by: -1)
    counter.increment(by: Double.infinity)
    #expect(lines(registry).contains("x_total 2"))
  }

  @Test func gaugesAndMetersShowTheirLatestValue() {
    let registry = MetricsRegistry(catalogue: [])
    Gauge(label: "depth", factory: registry).record(4)
    Gauge(label: "depth", factory: registry).record(2.5)
    let meter = Meter(label: "level", factory: registry)
    meter.set(10)
    meter.decrement()
    #expect(lines(registry).contains("depth 2.5"))
    #expect(lines(registry).contains("level 9"))
  }

  @Test func timersAreHistogramsOfSecondsWithCumulativeBuckets() {
    let registry = MetricsRegistry(
      catalogue: [.histogram("wait_seconds", "Waits.", labels: ["model"], bounds: [0.01, 1])])
    let timer = Timer(label: "wait_seconds", dimensions: [("model", "m")], factory: registry)
    timer.recordMilliseconds(10)
    timer.recordMilliseconds(700)
    timer.recordSeconds(100)
    #expect(
      lines(registry).suffix(7) == [
        "# HELP wait_seconds Waits.", "# TYPE wait_seconds histogram",
        #"wait_seconds_bucket{model="m",le="0.01"} 1"#,
        #"wait_seconds_bucket{model="m",le="1"} 2"#,
        #"wait_seconds_bucket{model="m",le="+Inf"} 3"#,
        #"wait_seconds_sum{model="m"} 100.71"#, #"wait_seconds_count{model="m"} 3"#,
      ])
  }

  @Test func labelsAreSortedEscapedAndClean() {
    let registry = MetricsRegistry(catalogue: [])
    Counter(
      label: "odd.name-total",
      dimensions: [("z", "a\\b\"c\nd"), ("a b", "1"), ("z", "again"), ("__x", "2")],
      factory: registry
    ).increment()
    #expect(
      lines(registry).contains(
        #"odd_name_total{label__x="2",a_b="1",z="a\\b\"c\nd"} 1"#))
  }

  @Test func seriesBeyondTheLimitAreDroppedAndCounted() {
    var limits = MetricsRegistry.Limits()
    limits.seriesPerMetricMax = 2
    limits.metricsMax = 1
    let registry = MetricsRegistry(catalogue: [], limits: limits)
    for value in ["a", "b", "c", "d"] {
      Counter(label: "x_total", dimensions: [("v", value)], factory: registry).increment()
    }
    Counter(label: "x_total", dimensions: [("v", "a")], factory: registry).increment()
    Counter(label: "y_total", factory: registry).increment()
    let lines = lines(registry)
    #expect(
      lines.filter { $0.hasPrefix("x_total") } == [
        #"x_total{v="a"} 2"#, #"x_total{v="b"} 1"#,
      ])
    #expect(!lines.contains { $0.contains("y_total") })
    #expect(lines.contains("rerankd_metrics_series_dropped_total 3"))
  }

  @Test func nameStandsForOneKindOfMetric() {
    let registry = MetricsRegistry(catalogue: [.counter("x_total", "X.")])
    Gauge(label: "x_total", factory: registry).record(5)
    Counter(label: "x_total", factory: registry).increment()
    #expect(lines(registry).contains("x_total 1"))
    #expect(lines(registry).contains("rerankd_metrics_series_dropped_total 1"))
  }

  @Test func destroyedSeriesAreShownNoMore() {
    let registry = MetricsRegistry(catalogue: [])
    let gauge = Gauge(label: "depth", dimensions: [("m", "a")], factory: registry)
    gauge.record(1)
    Gauge(label: "depth", dimensions: [("m", "b")], factory: registry).record(2)
    gauge.destroy()
    #expect(lines(registry).filter { $0.hasPrefix("depth") } == [#"depth{m="b"} 2"#])
  }

  @Test func numbersAreWrittenAsPrometheusReadsThem() {
    #expect(PrometheusText.number(3) == "3")
    #expect(PrometheusText.number(0.25) == "0.25")
    #expect(PrometheusText.number(.infinity) == "+Inf")
    #expect(PrometheusText.number(-.infinity) == "-Inf")
    #expect(PrometheusText.number(.nan) == "NaN")
  }

  @Test func processSaysWhatItUsesAndWhatItIs() async {
    let exposition = Exposition(
      MetricsRegistry(), role: "queue", version: "1.2.3",
      collect: {})
    let lines = await exposition.text().split(separator: "\n")
    #expect(lines.contains(#"rerankd_build_info{role="queue",version="1.2.3"} 1"#))
    for name in ProcessFigures.catalogue.map(\.name) {
      let value = lines.first { $0.hasPrefix(name + " ") }.flatMap {
        Double($0.dropFirst(name.count + 1))
      }
      #expect(value ?? 0 > 0, "\(name)")
    }
  }

  @Test func scrapeHasTheRoleRecordFirst() async {
    let registry = MetricsRegistry(catalogue: [])
    let exposition = Exposition(registry, role: "queue", version: "1") {
      Gauge(label: "depth", factory: registry).record(3)
    }
    #expect(await exposition.text().contains("\ndepth 3\n"))
  }
}
