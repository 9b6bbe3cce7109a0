import Foundation

extension Report {
  /// The tables, and what one must know to read them.
  var text: String {
    [
      heading, measurementsTable, ratiosText, probesText, ledgerText, soakText, legend,
    ].compactMap { $0 }.joined(separator: "\n\n")
  }

  private var heading: String {
    let memory = Self.fixed(machine.memoryGiB, 0)
    let peer = redisVersion.map { "; redis \($0)" } ?? ""
    return """
      \(machine.processor), \(machine.cores) cores, \(memory) GiB, Linux \(machine.kernel)
      data on \(fileSystem)\(peer)
      \(payloadBytes) B payloads, null engine, \(secondsEach) s each, retention at \
      \(retentionJobs) jobs
      """
  }

  private var measurementsTable: String? {
    guard !measurements.isEmpty else { return nil }
    var table = TextTable([
      "in flight, peer", "lifecycles/s", "median", "min", "submit p50", "p99", "lifecycle p50",
      "p99", "CPU queue", "worker", "client", "RSS first", "max",
    ])
    for row in measurements {
      let cpu = ["queue", "worker", "client"].map { role in
        row.cpuMicrosecondsPerLifecycle[role].map { "\(Self.fixed($0, 0)) us" } ?? ""
      }
      let resident = row.residentMiB["queue"] ?? []
      table.add(
        [
          "\(row.inFlight) \(row.peer)", Self.fixed(row.lifecyclesPerSecond, 0),
          "\(row.medianPerSecond)", "\(row.minimumPerSecond)",
          Self.milliseconds(row.submitP50Milliseconds),
          Self.milliseconds(row.submitP99Milliseconds),
          Self.milliseconds(row.lifecycleP50Milliseconds),
          Self.milliseconds(row.lifecycleP99Milliseconds),
        ] + cpu
          + [resident.first, resident.max()].map { value in
            value.map { "\(Self.fixed($0, 0)) MiB" } ?? ""
          })
    }
    return table.text
  }

  /// Ours beside the best that Redis did, by the medians of their seconds.
  private var ratiosText: String? {
    let levels = Set(measurements.map(\.inFlight)).sorted()
    let lines = levels.compactMap { level -> String? in
      let rows = measurements.filter { $0.inFlight == level }
      guard let ours = rows.first(where: { $0.peer == RerankdPeer.name }),
        let best = rows.filter({ $0.peer != RerankdPeer.name }).max(by: {
          $0.medianPerSecond < $1.medianPerSecond
        }), best.medianPerSecond > 0
      else { return nil }
      let ratio = Double(ours.medianPerSecond) / Double(best.medianPerSecond)
      return "\(level) in flight: rerankd does \(Self.fixed(ratio, 2)) times \(best.peer)"
    }
    return lines.isEmpty ? nil : lines.joined(separator: "\n")
  }

  private var probesText: String? {
    guard !syncProbes.isEmpty else { return nil }
    var table = TextTable(["fdatasync of 4 KiB", "p50", "p99", "per second"])
    for probe in syncProbes {
      table.add([
        probe.when, Self.milliseconds(probe.p50Milliseconds),
        Self.milliseconds(probe.p99Milliseconds), Self.fixed(probe.perSecond, 0),
      ])
    }
    return table.text
  }

  private var ledgerText: String? {
    guard let ledger else { return nil }
    return """
      ledger at the end: \(ledger.succeeded) succeeded, \(ledger.retried) retried, \
      \(ledger.redeliveries) redelivered; \(ledger.commits) commits, p50 \
      \(ledger.commitP50Microseconds) us, p99 \(ledger.commitP99Microseconds) us; file \
      \(Self.fixed(ledger.fileMiB, 0)) MiB, WAL \(Self.fixed(ledger.walMiB, 0)) MiB
      """
  }

  private var soakText: String? {
    guard let soak else { return nil }
    var table = TextTable([
      "jobs", "seconds", "p50", "p99", "queue RSS", "worker RSS", "queue files", "worker files",
      "ledger",
    ])
    for sample in soak.samples {
      table.add([
        "\(sample.jobs)", Self.fixed(sample.seconds, 1),
        Self.milliseconds(sample.p50Milliseconds), Self.milliseconds(sample.p99Milliseconds),
        "\(Self.fixed(sample.queueMiB, 1)) MiB", "\(Self.fixed(sample.workerMiB, 1)) MiB",
        "\(sample.queueFiles)", "\(sample.workerFiles)",
        "\(Self.fixed(sample.ledgerMiB, 1)) MiB",
      ])
    }
    return """
      \(table.text)
      queue RSS after the first 200,000 jobs: largest over smallest \
      \(Self.fixed(soak.maximumOverMinimum, 3))
      """
  }

  private var legend: String? {
    guard !measurements.isEmpty else { return nil }
    return """
      A lifecycle: submit acknowledged after its sync, assigned, completed and committed, reply
      delivered and acknowledged; the recording of all acknowledgements is checked at the end. A
      producer starts its next job when it has the reply. redis, steps: RPUSH, LMOVE, LPOP + RPUSH,
      LPOP on one pipelined connection a producer. redis, blocking: BLMOVE and BLPOP wait on
      connections of their own. Redis is measured for half the time before and half after rerankd.
      CPU is per lifecycle; client is the load generator.
      """
  }

  private static func milliseconds(_ value: Double) -> String { "\(fixed(value, 2)) ms" }

  private static func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }
}
