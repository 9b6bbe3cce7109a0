import Foundation
import TestSupport
import Testing

@testable import Observability

@Suite struct CatalogueTests {
  private func text(_ path: String) throws -> String {
    try String(contentsOf: PackageFolder.url.appending(path: path), encoding: .utf8)
  }

  @Test func operatorsPageListsEveryMetricAsItIs() throws {
    let listed = try text("deploy/OPERATIONS.md").split(separator: "\n").filter {
      $0.contains(/^\| `[a-z_]+` \| (counter|gauge|histogram) \|/)
    }.map { String($0) }
    let known = MetricCatalogue.all.map { metric in
      "| `\(metric.name)` | \(metric.kind) | \(metric.labels.joined(separator: ", ")) "
        + "| \(metric.help) |"
    }
    #expect(Set(listed).symmetricDifference(known).sorted() == [])
    #expect(listed.count == known.count)
  }

  @Test func namesFollowPrometheusConventions() {
    for metric in MetricCatalogue.all {
      #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter), "\(metric.name)")
      #expect(metric.bounds == metric.bounds.sorted(), "\(metric.name)")
      #expect(metric.labels == metric.labels.sorted(), "\(metric.name)")
    }
  }

  /// What Prometheus makes of a histogram is no name of ours.
  @Test(arguments: [
    "deploy/prometheus/alerts.yaml", "deploy/kubernetes/keda.yaml", "deploy/OPERATIONS.md",
    "deploy/grafana/rerankd.json",
  ])
  func nobodyAsksForMetricsThatThereAreNot(_ path: String) throws {
    let histograms = MetricCatalogue.all.filter { $0.kind == .histogram }.flatMap { metric in
      ["bucket", "count", "sum"].map { "\(metric.name)_\($0)" }
    }
    let known = Set(MetricCatalogue.all.map(\.name) + histograms)
    let used = try text(path).matches(
      of: /\b(?:rerankd_(?:queue|worker|gateway|build|memory|metrics|tracing)|process)_[a-z_]+/
    ).map { String($0.output) }
    #expect(!used.isEmpty)
    #expect(Set(used).subtracting(known).sorted() == [])
  }

  @Test func operatorsPageSaysWhatToDoAboutEachAlert() throws {
    let page = try text("deploy/OPERATIONS.md")
    let alerts = try text("deploy/prometheus/alerts.yaml").matches(of: /- alert: ([A-Za-z]+)/)
      .map { String($0.output.1) }
    #expect(alerts.count > 10)
    #expect(alerts.filter { !page.contains("`\($0)`") } == [])
    let named = page.matches(of: /`(Rerankd[A-Za-z]+)`/).map { String($0.output.1) }
    #expect(Set(named).subtracting(alerts).sorted() == [])
  }
}
