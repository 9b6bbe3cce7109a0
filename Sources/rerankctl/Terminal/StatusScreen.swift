import RerankdProtocol

/// The picture of a live view: what time it is, the queues below one another, and what keys do.
struct StatusScreen {
  var queues: [WatchedQueue]
  var palette: Palette
  var clock: String
  var interval: Duration
  /// Lines that are scrolled out at the top.
  private(set) var offset = 0

  init(queues: [WatchedQueue], palette: Palette, clock: String, interval: Duration) {
    self.queues = queues
    self.palette = palette
    self.clock = clock
    self.interval = interval
  }

  /// As many lines as there are rows; none longer than the terminal is wide.
  func lines(_ size: TerminalSize) -> [String] {
    let body = body(size)
    let room = Self.room(size)
    let shown = body.dropFirst(min(offset, max(0, body.count - room))).prefix(room)
    let picture = shown + Array(repeating: "", count: room - shown.count)
    return (picture + [footer(body.count, size)]).prefix(size.rows)
      .map { $0.cutPainted(toColumns: size.columns) }
  }

  mutating func scroll(by key: TerminalEvent.Key, _ size: TerminalSize) {
    let room = Self.room(size)
    let last = max(0, body(size).count - room)
    switch key {
    case .up, .character("k"): offset -= 1
    case .down, .character("j"): offset += 1
    case .pageUp: offset -= room
    case .pageDown, .character(" "): offset += room
    case .home, .character("g"): offset = 0
    case .end, .character("G"): offset = last
    case .character: break
    }
    offset = min(max(0, offset), last)
  }

  private static func room(_ size: TerminalSize) -> Int { max(1, size.rows - 1) }

  private func body(_ size: TerminalSize) -> [String] {
    let blocks = queues.map { queue in
      StatusReport(
        queue: queue, showsTotals: false, widthMax: size.columns, palette: palette
      ).lines
    }
    return (queues.count > 1 ? [summary, ""] : []) + Array(blocks.joined(separator: [""]))
  }

  /// What all shards do together.
  private var summary: String {
    let answering = queues.filter { $0.error == nil && $0.status != nil }
    let models = answering.compactMap(\.status).flatMap(\.models)
    let waiting = models.reduce(0) { $0 + $1.ready + $1.delayed }
    let succeeded = answering.compactMap(\.rates).reduce(0) { $0 + $1.succeeded }
    let away = queues.count - answering.count
    return "\(Quantity.count(queues.count, "queue")), "
      + (away == 0 ? "all answer" : palette.paint("\(away) away", .alarm))
      + "; \(Quantity.count(waiting)) jobs wait, \(Quantity.rate(succeeded)) a second succeed"
  }

  private func footer(_ lineCount: Int, _ size: TerminalSize) -> String {
    let hidden = lineCount > Self.room(size) ? "   ↑↓ scroll" : ""
    let every = interval.wholeMilliseconds
    let left = "q quits\(hidden)   every \(Quantity.time(microseconds: every * 1_000))"
    let space = max(1, size.columns - left.columns - clock.columns)
    return palette.paint(left + String(repeating: " ", count: space) + clock, .faint)
  }
}
