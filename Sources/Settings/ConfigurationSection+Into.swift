/// Settings that keep their default where nothing is said, and also where what is said is wrong:
/// then the problem is noted, and the reading goes on.
extension ConfigurationSection {
  func text(_ key: String, into value: inout String) {
    noting { if let read = try string(key) { value = read } }
    recordDefault(key, value)
  }

  /// A setting that need not have a value.
  func text(_ key: String, into value: inout String?) {
    noting { if let read = try string(key) { value = read } }
    recordDefault(key, value)
  }

  func texts(_ key: String, into value: inout [String]) {
    noting { if let read = try strings(key) { value = read } }
    recordDefault(key, "[" + value.joined(separator: ", ") + "]")
  }

  func flag(_ key: String, into value: inout Bool) {
    noting { if let read = try boolean(key) { value = read } }
    recordDefault(key, "\(value)")
  }

  func count<Value: FixedWidthInteger>(
    _ key: String, into value: inout Value, in range: ClosedRange<Value> = 1...Value.max
  ) {
    let range = Int(clamping: range.lowerBound)...Int(clamping: range.upperBound)
    noting { if let read = try integer(key, in: range) { value = Value(clamping: read) } }
    recordDefault(key, "\(value)")
  }

  func count(_ key: String, into value: inout Int?, in range: ClosedRange<Int>) {
    noting { if let read = try integer(key, in: range) { value = read } }
    recordDefault(key, value.map { "\($0)" })
  }

  func size<Value: FixedWidthInteger>(_ key: String, into value: inout Value) {
    noting {
      if let read = try byteCount(key, in: 1...Int(1) << 50) { value = Value(clamping: read) }
    }
    recordDefault(key, Self.text(bytes: Int(clamping: value)))
  }

  func time(
    _ key: String, into value: inout Duration, atLeast least: Duration = .milliseconds(1)
  ) {
    noting { if let read = try duration(key, atLeast: least) { value = read } }
    recordDefault(key, Self.text(value))
  }

  func time(_ key: String, intoMs value: inout Int64) {
    noting { if let read = try duration(key) { value = read.wholeMilliseconds } }
    recordDefault(key, Self.text(.milliseconds(value)))
  }

  /// One of an enumeration's names.
  func choice<Value: RawRepresentable & CaseIterable>(_ key: String, into value: inout Value)
  where Value.RawValue == String {
    noting { if let read: Value = try choice(key) { value = read } }
    recordDefault(key, value.rawValue)
  }

  func choice<Value: RawRepresentable & CaseIterable>(_ key: String, into value: inout Value?)
  where Value.RawValue == String {
    noting { if let read: Value = try choice(key) { value = read } }
    recordDefault(key, value?.rawValue)
  }

  private func choice<Value: RawRepresentable & CaseIterable>(_ key: String) throws -> Value?
  where Value.RawValue == String {
    guard let name = try string(key) else { return nil }
    guard let value = Value(rawValue: name) else {
      let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw error(key, "\"\(name)\" is none of \(names)")
    }
    return value
  }

  /// The shortest form that says the same.
  static func text(_ duration: Duration) -> String {
    let milliseconds = duration.wholeMilliseconds
    let units: [(String, Int64)] = [
      ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
    ]
    for (unit, length) in units where milliseconds >= length && milliseconds % length == 0 {
      return "\(milliseconds / length)\(unit)"
    }
    return "\(milliseconds)ms"
  }

  static func text(bytes: Int) -> String {
    for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]
    where bytes > 0 && bytes % (1 << shift) == 0 {
      return "\(bytes >> shift)\(unit)"
    }
    return "\(bytes)"
  }
}

extension Duration {
  var wholeMilliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }
}
