import Foundation
import RerankdProtocol

/// A queue's state for people: what it is, what has to be looked at, what waits and how fast it goes,
/// then a table each of models, workers, backends and supervisors.
struct StatusReport {
  var queue: WatchedQueue
  /// Counters since the start, where no rates are to be had.
  var showsTotals = true
  var widthMax: Int?
  var palette = Palette.plain
  var now = ContinuousClock.now
  var wallMs = Int64(Date().timeIntervalSince1970 * 1_000)

  var text: String { lines.map { $0 + "\n" }.joined() }

  var lines: [String] {
    guard let status = queue.status else { return [palette.paint(queue.endpoint, .heading)] + away }
    return [title(status)] + away + banners(status) + facts(status) + tables(status)
  }

  // MARK: Above the tables

  private func title(_ status: StatusView) -> String {
    palette.paint("rerankd \(status.version)", .heading) + " at \(queue.endpoint), shard "
      + "\(status.shard), epoch \(status.epoch), up \(Quantity.time(milliseconds: status.uptimeMs))"
  }

  private var away: [String] {
    guard let error = queue.error else { return [] }
    let seen =
      queue.silence(at: now).map {
        "; it answered \(Quantity.time(milliseconds: $0.wholeMilliseconds)) ago, as below"
      } ?? ""
    return [banner("AWAY", error.message + seen)]
  }

  private func banners(_ status: StatusView) -> [String] {
    var banners: [String] = []
    if status.paused {
      banners.append(
        banner("PAUSED", "nothing is assigned to workers; rerankctl queue resume"))
    }
    if status.draining {
      banners.append(
        banner("DRAINING", "new jobs are refused; rerankctl queue undrain takes them again"))
    }
    if !status.ledger.acceptsSubmits {
      banners.append(
        banner("DISK FULL", "too little free space for new jobs beside the ledger"))
    }
    if let error = status.ledger.backupError { banners.append(banner("BACKUP FAILED", error)) }
    return banners
  }

  private func banner(_ word: String, _ text: String) -> String {
    palette.paint(palette.isColored ? " \(word) " : word, .alarm) + " \(text.printable)"
  }

  private func facts(_ status: StatusView) -> [String] {
    let depth = status.models.reduce(into: (delayed: 0, ready: 0, leased: 0)) { sum, model in
      sum.delayed += Int(model.delayed)
      sum.ready += Int(model.ready)
      sum.leased += Int(model.leased)
    }
    var facts: [(String, String)] = [
      (
        "jobs",
        "\(Quantity.count(depth.delayed)) delayed, \(Quantity.count(depth.ready)) ready, "
          + "\(Quantity.count(depth.leased)) leased; \(Quantity.bytes(status.liveBytes)) of requests"
      )
    ]
    if let rates = queue.rates {
      facts.append(("a second", rate(rates)))
    }
    if showsTotals { facts.append(("so far", totals(status))) }
    facts.append(("workers", Quantity.count(status.workers)))
    facts.append(("ledger", ledger(status.ledger)))
    return FactSheet.lines(facts, palette: palette)
  }

  private func rate(_ rates: RateView) -> String {
    let dead = "dead \(Quantity.rate(rates.dead))"
    return "submitted \(Quantity.rate(rates.submitted)), "
      + palette.paint("succeeded \(Quantity.rate(rates.succeeded))", .good)
      + ", retried \(Quantity.rate(rates.retried)), "
      + palette.paint(dead, rates.dead > 0 ? .bad : nil) + "  "
      + palette.paint(Sparkline.text(queue.history), .good)
  }

  private func totals(_ status: StatusView) -> String {
    let moved = status.counters.filter { $0.value > 0 }.sorted { $0.key < $1.key }
    guard !moved.isEmpty else { return "nothing" }
    return moved.map {
      "\($0.key.replacing("_", with: " ")) \(Quantity.count($0.value))"
    }.joined(separator: ", ")
  }

  private func ledger(_ ledger: LedgerView) -> String {
    let backup =
      ledger.backup.map { backup in
        let ago = UInt64(max(0, wallMs - backup.endedUnixMs))
        return "backup \(Quantity.time(milliseconds: ago)) ago"
      } ?? "no backup since the start"
    return "\(Quantity.bytes(ledger.fileBytes)), WAL \(Quantity.bytes(ledger.walBytes)), commits "
      + "p50 \(Quantity.time(microseconds: ledger.commitP50Us)) p99 "
      + "\(Quantity.time(microseconds: ledger.commitP99Us)), "
      + "\(Quantity.bytes(ledger.freeBytes)) free, \(backup)"
  }

  // MARK: Tables

  private func tables(_ status: StatusView) -> [String] {
    var tables = [models(status)]
    if !queue.workers.isEmpty { tables.append(WorkerView.table(queue.workers)) }
    if !status.backends.isEmpty { tables.append(BackendView.table(status.backends)) }
    if !status.supervisors.isEmpty { tables.append(SupervisorView.table(status.supervisors)) }
    return tables.flatMap { [""] + $0.lines(widthMax: widthMax, palette: palette) }
  }

  private func models(_ status: StatusView) -> TextTable {
    var table = TextTable([
      ("MODEL", .left), ("WORKERS", .right), ("DELAYED", .right), ("READY", .right),
      ("LEASED", .right), ("OLDEST", .right), ("WAITING p50/p99", .right),
      ("SCORING p50/p99", .right), ("TOTAL p50/p99", .right), ("NOTE", .left),
    ])
    for model in status.models {
      let latency = status.latencies.first { $0.model == model.name }
      table.append([
        .init(model.name), .init("\(model.workers)", model.workers == 0 ? .waiting : nil),
        depth(model.delayed, .waiting), depth(model.ready, nil), depth(model.leased, .busy),
        .init(model.oldestReadyMs.map { Quantity.time(milliseconds: $0) } ?? ""),
        quantiles(latency?.waiting), quantiles(latency?.scoring), quantiles(latency?.total),
        .init(note(model), .waiting),
      ])
      for row in priorities(model) {
        table.append([
          .init("  priority \(row.priority)", .faint), "", depth(row.delayed, .waiting),
          depth(row.ready, nil), depth(row.leased, .busy), "", "", "", "", "",
        ])
      }
    }
    return table
  }

  /// Only where there is more to say than the model's own row does.
  private func priorities(_ model: StatusView.ModelView) -> [StatusView.PriorityView] {
    model.priorities.contains { $0.priority != 0 } ? model.priorities : []
  }

  private func depth(_ jobs: UInt64, _ style: TextStyle?) -> TextTable.Cell {
    TextTable.Cell(Quantity.count(jobs), jobs == 0 ? .faint : style)
  }

  private func quantiles(_ quantiles: StatusView.QuantilesView?) -> TextTable.Cell {
    guard let quantiles, quantiles.count > 0 else { return "" }
    return TextTable.Cell(
      "\(Quantity.time(microseconds: quantiles.p50Us)) / "
        + "\(Quantity.time(microseconds: quantiles.p99Us))")
  }

  private func note(_ model: StatusView.ModelView) -> String {
    if let pausedMs = model.pausedMs {
      return "rests for \(Quantity.time(microseconds: pausedMs * 1_000)): "
        + (model.pauseReason ?? "paused")
    }
    return model.pauseReason ?? (model.workers == 0 ? "no worker serves it" : "")
  }
}

/// A row of bars, as high as the values are against their largest.
enum Sparkline {
  private static let bars = Array("▁▂▃▄▅▆▇█")

  static func text(_ values: [Double]) -> String {
    let top = values.max() ?? 0
    guard top > 0 else { return "" }
    return String(values.map { bars[min(Int($0 / top * 7.999), 7)] })
  }
}
