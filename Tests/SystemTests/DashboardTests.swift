import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// `deploy/grafana/rerankd.json`, as far as it can be read without Grafana. That its metrics are
  /// those of the catalogue is seen where the catalogue is tested.
  @Suite struct DashboardTests {
    private struct Dashboard: Decodable {
      var panels: [Panel]
      var annotations: Annotations
    }

    private struct Annotations: Decodable {
      var list: [Target]
    }

    private struct Panel: Decodable {
      var id: Int
      var type: String
      var title: String
      var description: String?
      var gridPos: Position
      var targets: [Target]?
    }

    private struct Target: Decodable {
      var expr: String
      var legendFormat: String?
    }

    /// In columns and rows of Grafana's grid, which is 24 columns wide.
    private struct Position: Decodable {
      var x: Int
      var y: Int
      var w: Int
      var h: Int

      func overlaps(_ other: Position) -> Bool {
        x < other.x + other.w && other.x < x + w && y < other.y + other.h && other.y < y + h
      }
    }

    private func dashboard() throws -> Dashboard {
      let file = PackageFolder.url.appending(path: "deploy/grafana/rerankd.json")
      return try JSONDecoder().decode(Dashboard.self, from: Data(contentsOf: file))
    }

    private func expressions(_ dashboard: Dashboard) -> [String] {
      dashboard.panels.flatMap { $0.targets ?? [] }.map(\.expr)
        + dashboard.annotations.list.map(\.expr)
    }

    @Test func panelsAreApartAndSayWhatTheyShow() throws {
      let panels = try dashboard().panels
      #expect(panels.count > 40)
      #expect(Set(panels.map(\.id)).count == panels.count)
      for (number, panel) in panels.enumerated() {
        let place = panel.gridPos
        #expect(place.x >= 0 && place.w > 0 && place.x + place.w <= 24, "\(panel.title)")
        for other in panels[..<number] {
          #expect(!place.overlaps(other.gridPos), "\(panel.title) lies on \(other.title)")
        }
        guard panel.type != "row" else { continue }
        #expect(panel.description?.isEmpty == false, "\(panel.title)")
        #expect(panel.type == "alertlist" || panel.targets?.isEmpty == false, "\(panel.title)")
      }
    }

    /// A legend that names a label which its sum has dropped is empty.
    @Test func legendsNameLabelsThatTheirSeriesHave() throws {
      var seen = 0
      for target in try dashboard().panels.flatMap({ $0.targets ?? [] }) {
        guard let by = target.expr.firstMatch(of: /\bby \(([a-z, ]+)\)/) else { continue }
        let kept = Set(by.output.1.split(separator: ", "))
        for label in (target.legendFormat ?? "").matches(of: /\{\{([a-z]+)\}\}/) {
          #expect(kept.contains(label.output.1), "\(target.legendFormat ?? "") of \(target.expr)")
          seen += 1
        }
      }
      #expect(seen > 30)
    }

    /// As the expressions of recording rules; JSON is YAML, but for escaped slashes.
    @Test(.enabled(if: Program.exists("promtool"), "needs promtool: deploy/prerequisites --tests"))
    func expressionsAreTakenByPrometheus() async throws {
      let expressions = try expressions(dashboard())
      #expect(expressions.count > 70)
      let rules = expressions.enumerated().map { number, expression in
        [
          "record": "dashboard:\(number)",
          "expr": expression.replacing("$__rate_interval", with: "1m"),
        ]
      }
      let file = try JSONSerialization.data(
        withJSONObject: ["groups": [["name": "dashboard", "rules": rules]]],
        options: .withoutEscapingSlashes)
      let folder = try TemporaryFolder("dashboard")
      try folder.write(String(decoding: file, as: UTF8.self), to: "rules.json")
      let promtool = try ChildProcess(
        "/usr/bin/env", arguments: ["promtool", "check", "rules", folder.path("rules.json")])
      let exit = try await promtool.waitForExit(timeout: .seconds(60))
      #expect(exit == .status(0), "\(promtool.text(of: .error))")
      #expect(promtool.text(of: .output).contains("SUCCESS: \(expressions.count) rules found"))
    }
  }
}
