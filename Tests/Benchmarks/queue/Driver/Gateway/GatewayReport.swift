import Foundation

/// What one run of the gateway benchmark found.
struct GatewayReport: Codable, Sendable {
  struct Level: Codable, Sendable {
    var clients: Int
    var requests: Int
    var requestsPerSecond: Double
    var p50Milliseconds: Double
    var p99Milliseconds: Double
    /// By process.
    var cpuMicrosecondsPerRequest: [String: Double]
    var gatewayMiB: Double
  }

  struct Sample: Codable, Sendable {
    var requests: Int
    var gatewayMiB: Double
  }

  var machine: Report.Machine
  var fileSystem: String
  var documents: Int
  var requestBytes: Int
  var levels: [Level] = []
  var soak: [Sample] = []
  var probes: [SyncProbe] = []

  var text: String {
    var lines = [
      "\(machine.processor), \(machine.cores) cores, \(fileSystem)",
      "requests of \(requestBytes) bytes with \(documents) documents; durable jobs, null engine",
      "",
    ]
    if !levels.isEmpty {
      var table = TextTable(["clients", "requests/s", "p50 ms", "p99 ms", "CPU µs a request"])
      for level in levels {
        let cpu = level.cpuMicrosecondsPerRequest.sorted { $0.key < $1.key }
          .map { "\($0.key) \(Int($0.value))" }.joined(separator: ", ")
        table.add([
          "\(level.clients)", String(format: "%.0f", level.requestsPerSecond),
          String(format: "%.2f", level.p50Milliseconds),
          String(format: "%.2f", level.p99Milliseconds), cpu,
        ])
      }
      lines += [table.text, ""]
    }
    if !probes.isEmpty {
      var table = TextTable(["fdatasync of 4 KiB", "p50 ms", "p99 ms"])
      for probe in probes {
        table.add([
          probe.when, String(format: "%.3f", probe.p50Milliseconds),
          String(format: "%.3f", probe.p99Milliseconds),
        ])
      }
      lines += [table.text, ""]
    }
    if !soak.isEmpty {
      var table = TextTable(["requests", "gateway MiB"])
      for sample in soak {
        table.add(["\(sample.requests)", String(format: "%.1f", sample.gatewayMiB)])
      }
      lines.append(table.text)
    }
    return lines.joined(separator: "\n")
  }

  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(self).write(to: URL(filePath: path))
  }
}

extension GatewayReport.Level {
  init(
    clients: Int, _ result: HTTPLoad.Result, before: [String: ProcessUsage],
    after: [String: ProcessUsage]
  ) {
    let requests = result.latencies.count
    self.init(
      clients: clients, requests: requests, requestsPerSecond: Double(requests) / result.seconds,
      p50Milliseconds: result.latencies.milliseconds(atShare: 0.5) ?? 0,
      p99Milliseconds: result.latencies.milliseconds(atShare: 0.99) ?? 0,
      cpuMicrosecondsPerRequest: after.reduce(into: [:]) { cpu, process in
        let used = process.value.cpuSeconds - (before[process.key]?.cpuSeconds ?? 0)
        cpu[process.key] = used * 1e6 / Double(max(1, requests))
      }, gatewayMiB: Measurement.mebibytes(after["gateway"]?.residentBytes ?? 0))
  }
}
