/// Appends fields in protobuf's binary encoding. For the two messages that carry bodies and results:
/// they are put together from bytes that are serialized already, each copied once.
struct ProtobufWriter {
  private(set) var bytes: [UInt8] = []

  mutating func varint(_ field: Int, _ value: UInt64) {
    guard value != 0 else { return }
    appendVarint(UInt64(field) << 3)
    appendVarint(value)
  }

  mutating func string(_ field: Int, _ value: String) {
    guard !value.isEmpty else { return }
    var value = value
    value.withUTF8 { utf8 in
      header(field, byteCount: utf8.count)
      bytes.append(contentsOf: utf8)
    }
  }

  mutating func data(_ field: Int, _ value: [UInt8]) {
    guard !value.isEmpty else { return }
    header(field, byteCount: value.count)
    bytes.append(contentsOf: value)
  }

  /// A sub-message, present even when it is empty.
  mutating func message(_ field: Int, _ value: ProtobufWriter) {
    header(field, byteCount: value.bytes.count)
    bytes.append(contentsOf: value.bytes)
  }

  /// A repeated scalar, packed.
  mutating func packed(_ field: Int, _ values: some Sequence<UInt64>) {
    var writer = ProtobufWriter()
    for value in values { writer.appendVarint(value) }
    guard !writer.bytes.isEmpty else { return }
    message(field, writer)
  }

  /// Begins a sub-message, string or bytes field of so many bytes, which must follow.
  mutating func header(_ field: Int, byteCount: Int) {
    appendVarint(UInt64(field) << 3 | 2)
    appendVarint(UInt64(byteCount))
  }

  mutating func append(_ other: ProtobufWriter) {
    bytes.append(contentsOf: other.bytes)
  }

  /// What `data` adds.
  static func dataBytes(_ field: Int, _ count: Int) -> Int {
    count == 0 ? 0 : varintBytes(UInt64(field) << 3) + varintBytes(UInt64(count)) + count
  }

  private mutating func appendVarint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  private static func varintBytes(_ value: UInt64) -> Int {
    max(1, (UInt64.bitWidth - value.leadingZeroBitCount + 6) / 7)
  }
}
