/// Walks a serialized message field by field, without building it. The queue must look into bodies
/// of many megabytes only to see that they are well formed, and must be able to say which text of
/// which document is not; generated code gives the one at a high price and the other not at all.
///
/// The format is protobuf's binary encoding (protobuf.dev, "Encoding"). Groups, which proto3 does
/// not have, are refused.
struct ProtobufReader {
  enum Value {
    case varint(UInt64)
    case fixed64
    case fixed32
    /// Strings, bytes, sub-messages: where they lie in `bytes`.
    case range(Range<Int>)
  }

  struct Field {
    var number: Int
    var value: Value
  }

  struct Malformed: Error {
    /// What is wrong, with the offset in the message.
    var message: String
  }

  let bytes: [UInt8]
  private var position: Int
  private let end: Int

  init(_ bytes: [UInt8]) {
    self.init(bytes, in: bytes.indices)
  }

  init(_ bytes: [UInt8], in range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// Nil at the end of the message.
  mutating func next() throws(Malformed) -> Field? {
    guard position < end else { return nil }
    let start = position
    let tag = try varint()
    guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw malformed(start, "no field number") }
    let number = Int(tag >> 3)
    switch tag & 7 {
    case 0: return Field(number: number, value: .varint(try varint()))
    case 1:
      try skip(8)
      return Field(number: number, value: .fixed64)
    case 2:
      let length = try varint()
      guard length <= UInt64(end - position) else {
        throw malformed(start, "field \(number) is longer than what holds it")
      }
      let range = position..<(position + Int(length))
      position = range.upperBound
      return Field(number: number, value: .range(range))
    case 5:
      try skip(4)
      return Field(number: number, value: .fixed32)
    default: throw malformed(start, "field \(number) has wire type \(tag & 7)")
    }
  }

  /// The value of a scalar field that this version knows.
  func varint(_ field: Field) throws(Malformed) -> UInt64 {
    guard case .varint(let value) = field.value else { throw wrongType(field) }
    return value
  }

  func range(_ field: Field) throws(Malformed) -> Range<Int> {
    guard case .range(let range) = field.value else { throw wrongType(field) }
    return range
  }

  /// A sub-message.
  func nested(_ field: Field) throws(Malformed) -> ProtobufReader {
    ProtobufReader(bytes, in: try range(field))
  }

  private mutating func varint() throws(Malformed) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < end {
      let byte = bytes[position]
      position += 1
      if shift == 63, byte > 1 { break }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
      if shift > 63 { break }
    }
    throw malformed(
      start, position < end ? "a number of more than 64 bits" : "the message is cut off")
  }

  private mutating func skip(_ count: Int) throws(Malformed) {
    guard count <= end - position else { throw malformed(position, "the message is cut off") }
    position += count
  }

  private func wrongType(_ field: Field) -> Malformed {
    malformed(position, "field \(field.number) has another type")
  }

  private func malformed(_ offset: Int, _ what: String) -> Malformed {
    Malformed(message: "\(what), at byte \(offset)")
  }
}

extension ProtobufReader {
  /// Whether a range holds well-formed UTF-8 (Unicode standard, table 3-7). Runs of ASCII, the usual
  /// case, are passed eight bytes at a time.
  func isUTF8(_ range: Range<Int>) -> Bool {
    bytes.withUnsafeBytes { buffer in
      var index = range.lowerBound
      let end = range.upperBound
      while index < end {
        if end - index >= 8,
          buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        {
          index += 8
          continue
        }
        let length = Self.sequenceLength(buffer, at: index, end: end)
        guard length > 0 else { return false }
        index += length
      }
      return true
    }
  }

  /// The length of the well-formed sequence that begins at `index`; 0 when there is none.
  private static func sequenceLength(
    _ buffer: UnsafeRawBufferPointer, at index: Int, end: Int
  ) -> Int {
    func isContinuation(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
      index + offset < end && range.contains(buffer[index + offset])
    }
    switch buffer[index] {
    case 0x00...0x7F: return 1
    case 0xC2...0xDF: return isContinuation(1) ? 2 : 0
    case 0xE0: return isContinuation(1, 0xA0...0xBF) && isContinuation(2) ? 3 : 0
    case 0xED: return isContinuation(1, 0x80...0x9F) && isContinuation(2) ? 3 : 0
    case 0xE1...0xEF: return isContinuation(1) && isContinuation(2) ? 3 : 0
    case 0xF0:
      return isContinuation(1, 0x90...0xBF) && isContinuation(2) && isContinuation(3) ? 4 : 0
    case 0xF1...0xF3: return isContinuation(1) && isContinuation(2) && isContinuation(3) ? 4 : 0
    case 0xF4:
      return isContinuation(1, 0x80...0x8F) && isContinuation(2) && isContinuation(3) ? 4 : 0
    default: return 0
    }
  }

  /// Nil when the range is not UTF-8.
  func string(_ range: Range<Int>) -> String? {
    guard isUTF8(range) else { return nil }
    return String(decoding: bytes[range], as: UTF8.self)
  }
}
