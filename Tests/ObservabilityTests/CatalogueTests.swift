import Foundation
import TestSupport
import Testing

@testable import Observability

@Suite struct CatalogueTests {
  private func text(_ path: String) throws -> String {
    try String(contentsOf: PackageFolder.url.appending(path: path), encoding: .utf8)
  }

  @Test func pageListsEveryMetricAndNoOther() throws {
    let page = try text("Sources/Observability/Observability.docc/Observability.md")
    let listed = page.split(separator: "\n").filter { $0.hasPrefix("| `") }.compactMap {
      $0.split(separator: "`").dropFirst().first.map { String($0) }
    }
    #expect(listed.sorted() == MetricCatalogue.all.map(\.name).sorted())
  }

  @Test func namesFollowPrometheusConventions() {
    for metric in MetricCatalogue.all {
      #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter), "\(metric.name)")
      #expect(metric.bounds == metric.bounds.sorted(), "\(metric.name)")
    }
  }

  @Test func alertsAskForMetricsThatThereAre() throws {
    let known = Set(MetricCatalogue.all.map(\.name))
    let used = try text("deploy/prometheus/alerts.yaml").matches(of: /rerankd_[a-z_]+/).map {
      String($0.output)
    }
    #expect(!used.isEmpty)
    #expect(used.filter { !known.contains($0) } == [])
  }
}
