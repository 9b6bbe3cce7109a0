import RerankdProtocol

/// The queue's state, as it is printed.
struct StatusView: Encodable {
  var version: String
  var shard: UInt32
  var epoch: UInt64
  var uptimeMs: UInt64
  var paused: Bool
  var workers: UInt32
  var liveBytes: UInt64
  var models: [ModelView]
  var backends: [BackendView]
  var counters: [String: UInt64]
  var ledger: LedgerView

  struct ModelView: Encodable {
    var name: String
    var workers: UInt32
    var delayed: UInt64
    var ready: UInt64
    var leased: UInt64
    var pausedMs: UInt64?
    var pauseReason: String?
  }

  struct LedgerView: Encodable {
    var fileBytes: UInt64
    var walBytes: UInt64
    var commits: UInt64
    var commitP50Us: UInt64
    var commitP99Us: UInt64
    var freeBytes: UInt64
    var acceptsSubmits: Bool
  }

  init(_ status: StatusResponse) {
    version = status.version
    shard = status.shard
    epoch = status.epoch
    uptimeMs = status.uptimeMs
    paused = status.paused
    workers = status.workers
    liveBytes = status.liveBytes
    models = status.models.map { row in
      ModelView(
        name: row.model.name, workers: row.model.workers, delayed: row.delayed, ready: row.ready,
        leased: row.leased, pausedMs: row.pausedMs == 0 ? nil : row.pausedMs,
        pauseReason: row.pauseReason.nonEmpty)
    }
    backends = status.backends.map(BackendView.init)
    let counted = status.counters
    counters = [
      "submitted": counted.submitted, "refused": counted.refused,
      "duplicates": counted.duplicates, "assigned": counted.assigned,
      "succeeded": counted.succeeded, "dead": counted.dead, "cancelled": counted.cancelled,
      "expired": counted.expired, "retried": counted.retried, "leases_lost": counted.leasesLost,
      "released": counted.released, "deliveries": counted.deliveries,
      "redeliveries": counted.redeliveries, "deliveries_parked": counted.deliveriesParked,
      "superseded_outcomes": counted.supersededOutcomes, "bare_accepted": counted.bareAccepted,
      "bare_rejected": counted.bareRejected, "push_replies_sent": counted.pushRepliesSent,
      "push_replies_dropped": counted.pushRepliesDropped,
      "malformed_messages": counted.malformedMessages, "fallbacks": counted.fallbacks,
      "partial_scores_kept": counted.partialScoresKept,
      "partial_scores_dropped": counted.partialScoresDropped,
    ]
    ledger = LedgerView(
      fileBytes: status.ledger.fileBytes, walBytes: status.ledger.walBytes,
      commits: status.ledger.commits, commitP50Us: status.ledger.commitP50Us,
      commitP99Us: status.ledger.commitP99Us, freeBytes: status.ledger.freeBytes,
      acceptsSubmits: status.ledger.acceptsSubmits)
  }

  var text: String {
    var table = TextTable([
      ("MODEL", .left), ("WORKERS", .right), ("DELAYED", .right), ("READY", .right),
      ("LEASED", .right), ("NOTE", .left),
    ])
    for model in models {
      let note =
        model.pausedMs.map { "rests for \($0) ms: \(model.pauseReason ?? "paused")" }
        ?? model.pauseReason ?? (model.workers == 0 ? "no worker serves it" : "")
      table.append([
        model.name, "\(model.workers)", "\(model.delayed)", "\(model.ready)", "\(model.leased)",
        note,
      ])
    }
    let moved = counters.filter { $0.value > 0 }.sorted { $0.key < $1.key }
    return """
      queue \(version), shard \(shard), epoch \(epoch), up \(Self.time(uptimeMs))\
      \(paused ? ", PAUSED" : "")
      workers \(workers), live requests \(liveBytes) bytes
      ledger \(ledger.fileBytes) bytes, WAL \(ledger.walBytes); commit p50 \(ledger.commitP50Us) µs, \
      p99 \(ledger.commitP99Us) µs\(ledger.acceptsSubmits ? "" : "; TOO LITTLE FREE SPACE FOR NEW JOBS")
      since the start: \(moved.map { "\($0.key) \($0.value)" }.joined(separator: ", "))

      \(table.text(widthMax: Printer.terminalWidth))\(backendText)
      """
  }

  private var backendText: String {
    guard !backends.isEmpty else { return "" }
    return "\n" + BackendView.table(backends).text(widthMax: Printer.terminalWidth)
  }

  /// "3 d 4 h", "5 min 12 s": the two largest units.
  static func time(_ milliseconds: UInt64) -> String {
    let seconds = milliseconds / 1000
    let units: [(UInt64, String)] = [
      (seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"),
      (seconds % 60, "s"),
    ]
    let shown = units.drop { $0.0 == 0 }.prefix(2).map { "\($0.0) \($0.1)" }
    return shown.isEmpty ? "0 s" : shown.joined(separator: " ")
  }
}
