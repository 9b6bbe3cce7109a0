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
