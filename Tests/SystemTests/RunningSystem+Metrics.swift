import Foundation
import TestSupport

extension RunningSystem {
  /// What the process of that name answers to Prometheus.
  func scrape(_ name: String) async throws -> String {
    let line = try await process(name).line(containing: "metrics and health on", on: .error)
    guard let port = line.firstMatch(of: /metrics and health on 127\.0\.0\.1:([0-9]+)/) else {
      throw TimeoutError(description: "no port in \"\(line)\"")
    }
    let curl = try ChildProcess(
      RunningGateway.curl,
      arguments: [
        "--silent", "--show-error", "--fail", "--max-time", "20",
        "http://127.0.0.1:\(port.output.1)/metrics",
      ])
    guard try await curl.waitForExit() == .status(0) else {
      throw TimeoutError(description: "\(name) shows no metrics: \(curl.text(of: .error))")
    }
    return curl.text(of: .output)
  }
}

/// Answers to scrapes, as far as tests look into them.
struct ScrapedMetrics {
  /// Each metric's type by its name.
  private(set) var types: [String: String] = [:]
  private(set) var labels: [String: Set<String>] = [:]

  /// - Parameter text: in Prometheus' text format.
  mutating func add(_ text: String) {
    for line in text.split(separator: "\n") {
      if line.hasPrefix("# TYPE ") {
        let words = line.split(separator: " ")
        types[String(words[2])] = String(words[3])
      } else if let series = line.prefixMatch(of: #/([a-z_]+)(?:\{(.*)\})? /#) {
        let sample = String(series.output.1)
        // A histogram's samples have names of their own, and one label more.
        let name =
          types[sample] != nil
          ? sample : sample.replacing(/_(bucket|sum|count)$/, with: "")
        for label in (series.output.2 ?? "").matches(of: #/([a-z_]+)="/#)
        where label.output.1 != "le" {
          labels[name, default: []].insert(String(label.output.1))
        }
      }
    }
  }
}
