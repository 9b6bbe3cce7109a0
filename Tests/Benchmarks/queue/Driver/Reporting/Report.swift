import Foundation

/// All that a run found: what `--json` writes and the tables print.
struct Report: Codable, Sendable {
  var machine: Machine
  var redisVersion: String?
  var fileSystem: String
  var secondsEach: Int
  var payloadBytes: Int
  var retentionJobs: Int
  var syncProbes: [SyncProbe] = []
  var measurements: [Measurement] = []
  var soak: Soak?
  /// What the queue said of its ledger at the end.
  var ledger: LedgerFigures?

  struct Machine: Codable, Sendable {
    var processor: String
    var cores: Int
    var memoryGiB: Double
    var kernel: String

    static func current() -> Machine {
      let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
      let model = information.split(separator: "\n").first { $0.hasPrefix("model name") }
      let release = try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)
      return Machine(
        processor: model.map { String($0.drop { $0 != ":" }.dropFirst(2)) } ?? "unknown",
        cores: ProcessInfo.processInfo.activeProcessorCount,
        memoryGiB: Double(ProcessInfo.processInfo.physicalMemory) / 1_073_741_824,
        kernel: release?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown")
    }
  }

  struct LedgerFigures: Codable, Sendable {
    var commits: UInt64
    var commitP50Microseconds: UInt64
    var commitP99Microseconds: UInt64
    var fileMiB: Double
    var walMiB: Double
    var succeeded: UInt64
    var retried: UInt64
    var redeliveries: UInt64
  }

  struct Soak: Codable, Sendable {
    struct Sample: Codable, Sendable {
      var jobs: Int
      var seconds: Double
      /// Of the lifecycles since the sample before, from submit to reply.
      var p50Milliseconds: Double
      var p99Milliseconds: Double
      var queueMiB: Double
      var workerMiB: Double
      /// Open descriptors.
      var queueFiles: Int
      var workerFiles: Int
      /// The ledger's file and its log.
      var ledgerMiB: Double
    }

    var samples: [Sample]
    /// Largest over smallest resident size of the queue after the first 200,000 jobs.
    var maximumOverMinimum: Double
  }

  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(self).write(to: URL(filePath: path))
  }
}
