/// A moving line on a terminal: how many, how fast, and how long yet where the whole is known.
struct CountProgress {
  private(set) var count = 0
  private let noun: String
  /// A share of the work that is done, 0 to 1, where it can be told.
  private var share: Double?
  private let started = ContinuousClock.now
  private var line = ProgressLine()

  init(noun: String) {
    self.noun = noun
  }

  mutating func add(_ count: Int, share: Double? = nil, note: String? = nil) {
    self.count += count
    self.share = share
    if line.isDue { line.show(text(note: note)) }
  }

  func finish() {
    line.clear()
  }

  var ratePerSecond: Double {
    Double(count) / max(started.duration(to: .now) / .seconds(1), 0.001)
  }

  /// "[#####.....]  50 %  1,234 jobs, 120 a second, 10 s left"
  private func text(note: String?) -> String {
    let rate = "\(Quantity.count(count, noun)), \(Quantity.rate(ratePerSecond)) a second"
    let note = note.map { "; " + $0 } ?? ""
    guard let share, share > 0 else { return rate + note }
    let filled = Int(share * 20)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
    let seconds = started.duration(to: .now) / .seconds(1)
    let left = UInt64(max(0, seconds * (1 - share) / share) * 1_000)
    return "[\(bar)] \(Int(share * 100)) %  \(rate), \(Quantity.time(milliseconds: left)) left"
      + note
  }
}
