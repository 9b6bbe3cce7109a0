/// A moving line on a terminal: how much, how fast, and how long yet where the whole is known.
struct CountProgress {
  private enum Unit {
    case things(String)
    case bytes(of: UInt64)
  }

  private(set) var count = 0
  private let unit: Unit
  /// A share of the work that is done, 0 to 1, where it can be told.
  private var share: Double?
  /// What was done before this began, and says nothing of how fast it is.
  private let shareBefore: Double
  private let started = ContinuousClock.now
  private var line = ProgressLine()

  init(noun: String) {
    unit = .things(noun)
    shareBefore = 0
  }

  init(bytesOf total: UInt64, alreadyThere: UInt64 = 0) {
    unit = .bytes(of: total)
    shareBefore = total == 0 ? 0 : Double(alreadyThere) / Double(total)
  }

  /// - Parameter isUrgent: to be shown now, since nothing will follow for a while.
  mutating func add(
    _ count: Int, share: Double? = nil, note: String? = nil, isUrgent: Bool = false
  ) {
    self.count += count
    self.share = share
    if isUrgent || line.isDue { line.show(text(note: note)) }
  }

  func finish() {
    line.clear()
  }

  var ratePerSecond: Double {
    Double(count) / max(started.duration(to: .now) / .seconds(1), 0.001)
  }

  /// "[#####.....]  50 %  1,234 jobs, 120 a second, 10 s left"
  private func text(note: String?) -> String {
    let note = note.map { "; " + $0 } ?? ""
    guard let share, share > 0 else { return amount + note }
    let filled = Int(min(1, share) * 20)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
    return "[\(bar)] \(Int(min(1, share) * 100)) %  \(amount)\(timeLeft(share))\(note)"
  }

  private var amount: String {
    switch unit {
    case .things(let noun):
      "\(Quantity.count(count, noun)), \(Quantity.rate(ratePerSecond)) a second"
    case .bytes(let total):
      "\(Quantity.bytes(UInt64(share.map { $0 * Double(total) } ?? Double(count)))) of "
        + "\(Quantity.bytes(total)), \(Quantity.bytes(UInt64(ratePerSecond)))/s"
    }
  }

  private func timeLeft(_ share: Double) -> String {
    guard share > shareBefore else { return "" }
    let seconds = started.duration(to: .now) / .seconds(1)
    let left = seconds * max(0, 1 - share) / (share - shareBefore)
    // Beyond some years it says nothing.
    return ", \(Quantity.time(milliseconds: UInt64(min(left, 1e9) * 1_000))) left"
  }
}
