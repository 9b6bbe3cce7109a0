/// Numbers with their units, as people read them.
enum Quantity {
  /// "3 d 4 h", "5 min 12 s": the two largest units.
  static func time(milliseconds: UInt64) -> String {
    let seconds = milliseconds / 1000
    let units: [(UInt64, String)] = [
      (seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"),
      (seconds % 60, "s"),
    ]
    let shown = units.drop { $0.0 == 0 }.prefix(2).map { "\($0.0) \($0.1)" }
    return shown.isEmpty ? "0 s" : shown.joined(separator: " ")
  }

  /// "850 µs", "12.3 ms", "4.5 s", and from a minute on as ``time(milliseconds:)``.
  static func time(microseconds: UInt64) -> String {
    switch microseconds {
    case ..<1_000: "\(microseconds) µs"
    case ..<1_000_000: "\(decimal(Double(microseconds) / 1_000)) ms"
    case ..<60_000_000: "\(decimal(Double(microseconds) / 1_000_000)) s"
    default: time(milliseconds: microseconds / 1_000)
    }
  }

  /// Whole microseconds; 0 for what went backwards.
  static func microseconds(_ duration: Duration) -> UInt64 {
    UInt64(max(0, duration / .microseconds(1)))
  }

  /// "17 bytes", "4.0 KiB", "1.2 GiB".
  static func bytes(_ bytes: UInt64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
    guard bytes >= 1_024 else { return bytes == 1 ? "1 byte" : "\(bytes) bytes" }
    var value = Double(bytes) / 1_024
    var unit = 0
    // From where it would be shown as 1024.
    while value >= 1_023.5, unit + 1 < units.count { (value, unit) = (value / 1_024, unit + 1) }
    return "\(decimal(value)) \(units[unit])"
  }

  /// "12,345".
  static func count(_ count: some BinaryInteger) -> String {
    var digits = String(count.magnitude)
    var groups: [Substring] = []
    while digits.count > 3 {
      groups.insert(digits.suffix(3), at: 0)
      digits = String(digits.dropLast(3))
    }
    return (count < 0 ? "-" : "") + ([Substring(digits)] + groups).joined(separator: ",")
  }

  /// "3 jobs", "1 job".
  static func count(_ count: some BinaryInteger, _ noun: String) -> String {
    "\(self.count(count)) \(noun)\(count == 1 ? "" : "s")"
  }

  /// "0", "0.4", "12", "1,234": a rate a second.
  static func rate(_ perSecond: Double) -> String {
    if perSecond == 0 { return "0" }
    if perSecond >= 100 { return count(Int(min(perSecond, 1e15).rounded())) }
    return decimal(perSecond)
  }

  /// One decimal below a hundred, none above.
  private static func decimal(_ value: Double) -> String {
    guard value < 99.95 else { return "\(Int(value.rounded()))" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
