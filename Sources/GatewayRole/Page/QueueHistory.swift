import RerankdProtocol

/// The last minutes of all queues together, a row a sample.
///
/// Levels are of all queues together, with the last known figures of one that is away. Counters grow
/// from 0 when the gateway starts: what a queue counted is added up here, since its own counters
/// begin anew when it does.
struct QueueHistory: Sendable {
  struct Row: Sendable {
    /// Grows by one with each row; a page asks for those after the last that it has.
    var number: UInt64
    var atUnixMs: Int64
    /// In the order of ``columns``; nil when no queue answered.
    var figures: [UInt64]?
    /// Jobs that wait, by model; models without any are left out.
    var waiting: [String: UInt64]
  }

  /// Of a row's JSON.
  static let columns =
    ["number", "at"] + levels + counters.map(\.name) + ["waiting"]
  private static let levels = ["delayed", "ready", "leased", "workers"]
  private static let counters: [(name: String, value: @Sendable (Counters) -> UInt64)] = [
    ("submitted", { $0.submitted }), ("succeeded", { $0.succeeded }), ("dead", { $0.dead }),
    ("expired", { $0.expired }), ("cancelled", { $0.cancelled }),
    ("attemptsFailed", { $0.attemptsFailed }),
  ]
  /// Whatever the period, there are no more.
  static let rowsMax = 1_000

  private(set) var rows: [Row] = []
  private let spanMs: Int64
  private var nextNumber: UInt64 = 0
  private var totals = [UInt64](repeating: 0, count: counters.count)
  /// What each queue had counted at its last answer, and in which of its lives.
  private var counted: [(epoch: UInt64, values: [UInt64])?]

  init(queueCount: Int, span: Duration) {
    spanMs = Int64(clamping: span.wholeMilliseconds)
    counted = Array(repeating: nil, count: queueCount)
  }

  mutating func add(_ sights: [QueueWatch.Sight], atUnixMs now: Int64) {
    for (index, sight) in sights.enumerated() where sight.error == nil {
      if let status = sight.status { count(status, of: index) }
    }
    let statuses = sights.compactMap(\.status)
    let models = statuses.flatMap(\.models)
    var waiting: [String: UInt64] = [:]
    for model in models where model.delayed + model.ready > 0 {
      waiting[model.model.name, default: 0] += model.delayed + model.ready
    }
    let levels = [
      models.reduce(0) { $0 + $1.delayed }, models.reduce(0) { $0 + $1.ready },
      models.reduce(0) { $0 + $1.leased },
      // One that is attached to several queues is one.
      UInt64(Set(sights.flatMap(\.workers).map(\.workerID)).count),
    ]
    let isAnswered = sights.contains { $0.error == nil }
    rows.append(
      Row(
        number: nextNumber, atUnixMs: now, figures: isAnswered ? levels + totals : nil,
        waiting: isAnswered ? waiting : [:]))
    nextNumber += 1
    let first = rows.firstIndex { $0.atUnixMs >= now - spanMs } ?? 0
    rows.removeFirst(max(first, rows.count - Self.rowsMax))
  }

  private mutating func count(_ status: StatusResponse, of index: Int) {
    let values = Self.counters.map { $0.value(status.counters) }
    defer { counted[index] = (status.epoch, values) }
    guard let before = counted[index] else { return }
    for (counter, value) in values.enumerated() {
      let start = before.epoch == status.epoch ? before.values[counter] : 0
      totals[counter] += value >= start ? value - start : 0
    }
  }

  func rows(after number: UInt64?) -> ArraySlice<Row> {
    guard let number else { return rows[...] }
    return rows[(rows.firstIndex { $0.number > number } ?? rows.endIndex)...]
  }
}
