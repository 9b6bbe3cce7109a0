/// Settings that keep their default where the file says nothing.
extension ConfigurationSection {
  func count<Value: FixedWidthInteger>(
    _ key: String, into value: inout Value, in range: ClosedRange<Value> = 1...Value.max
  ) throws {
    let range = Int(clamping: range.lowerBound)...Int(clamping: range.upperBound)
    if let read = try integer(key, in: range) { value = Value(clamping: read) }
  }

  func size<Value: FixedWidthInteger>(_ key: String, into value: inout Value) throws {
    if let read = try byteCount(key, in: 1...Int(1) << 50) { value = Value(clamping: read) }
  }

  func time(_ key: String, into value: inout Duration) throws {
    if let read = try duration(key, atLeast: .milliseconds(1)) { value = read }
  }

  func time(_ key: String, intoMs value: inout Int64) throws {
    guard let read = try duration(key) else { return }
    value = read.components.seconds * 1000 + read.components.attoseconds / 1_000_000_000_000_000
  }
}
