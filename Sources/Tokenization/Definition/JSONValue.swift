/// JSON as bytes: a vocabulary's keys must stay distinct where Swift's String equality, which is
/// canonical, would make them one.
enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case number(Double)
  /// A part of the parsed text where that has no escapes.
  case string(ArraySlice<UInt8>)
  case array([JSONValue])
  case object([Member])

  struct Member: Sendable {
    var key: ArraySlice<UInt8>
    var value: JSONValue
  }

  /// - Throws: ``TokenizationError`` naming the byte at which the text stops being JSON.
  init(parsing bytes: [UInt8]) throws(TokenizationError) {
    var parser = JSONParser(bytes)
    self = try parser.document()
  }

  /// The member of an object; the last of several with one key counts. nil for null as well.
  subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self,
      let member = members.last(where: { $0.key.elementsEqual(key.utf8) })
    else { return nil }
    if case .null = member.value { return nil }
    return member.value
  }

  var string: String? {
    if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
  }

  var bytes: ArraySlice<UInt8>? {
    if case .string(let bytes) = self { bytes } else { nil }
  }

  var number: Double? {
    if case .number(let value) = self { value } else { nil }
  }

  var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// nil for a number that is not a whole one of at most 32 bits.
  var integer: Int32? {
    if case .number(let value) = self { Int32(exactly: value) } else { nil }
  }

  var array: [JSONValue]? {
    if case .array(let values) = self { values } else { nil }
  }

  var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }
}

private struct JSONParser {
  private static let depthMax = 64

  private let bytes: [UInt8]
  private var position = 0
  private var depth = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  mutating func document() throws(TokenizationError) -> JSONValue {
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw malformed("the text is not UTF-8")
    }
    let value = try value()
    skipBlanks()
    guard position == bytes.count else { throw malformed("text after the end") }
    return value
  }

  private mutating func value() throws(TokenizationError) -> JSONValue {
    skipBlanks()
    switch peek {
    case UInt8(ascii: "{"):
      return try nested { (parser) throws(TokenizationError) in try parser.object() }
    case UInt8(ascii: "["):
      return try nested { (parser) throws(TokenizationError) in try parser.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func nested(
    _ read: (inout JSONParser) throws(TokenizationError) -> JSONValue
  ) throws(TokenizationError) -> JSONValue {
    guard depth < Self.depthMax else { throw malformed("nesting deeper than \(Self.depthMax)") }
    depth += 1
    position += 1
    let value = try read(&self)
    depth -= 1
    return value
  }

  private mutating func object() throws(TokenizationError) -> JSONValue {
    var members: [JSONValue.Member] = []
    if skip(UInt8(ascii: "}")) { return .object(members) }
    repeat {
      skipBlanks()
      guard peek == UInt8(ascii: "\"") else { throw malformed("a key was expected") }
      let key = try string()
      guard skip(UInt8(ascii: ":")) else { throw malformed("\":\" was expected") }
      members.append(JSONValue.Member(key: key, value: try value()))
    } while skip(UInt8(ascii: ","))
    guard skip(UInt8(ascii: "}")) else { throw malformed("\",\" or \"}\" was expected") }
    return .object(members)
  }

  private mutating func array() throws(TokenizationError) -> JSONValue {
    var values: [JSONValue] = []
    if skip(UInt8(ascii: "]")) { return .array(values) }
    repeat { values.append(try value()) } while skip(UInt8(ascii: ","))
    guard skip(UInt8(ascii: "]")) else { throw malformed("\",\" or \"]\" was expected") }
    return .array(values)
  }

  private mutating func string() throws(TokenizationError) -> ArraySlice<UInt8> {
    position += 1
    let start = position
    // Most strings have no escapes, and need no copy.
    let stop = bytes.withUnsafeBufferPointer { bytes in
      var stop = start
      while stop < bytes.count, bytes[stop] >= 0x20, bytes[stop] != UInt8(ascii: "\""),
        bytes[stop] != UInt8(ascii: "\\")
      {
        stop += 1
      }
      return stop
    }
    position = stop
    if peek == UInt8(ascii: "\"") {
      position += 1
      return bytes[start..<stop]
    }
    var text = Array(bytes[start..<stop])
    while let byte = peek, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw malformed("a control character in a string") }
      position += 1
      if byte == UInt8(ascii: "\\") { try escape(into: &text) } else { text.append(byte) }
    }
    guard peek != nil else { throw malformed("a string without an end") }
    position += 1
    return text[...]
  }

  private mutating func escape(into text: inout [UInt8]) throws(TokenizationError) {
    let letter = peek
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter ?? 0)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if 0xD800..<0xDC00 ~= code {
        let low = bytes[position...].starts(with: "\\u".utf8)
        position += 2
        let second = low ? try hexadecimal() : 0
        guard 0xDC00..<0xE000 ~= second else { throw malformed("half a surrogate pair") }
        code = 0x1_0000 + (code - 0xD800) << 10 + (second - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw malformed("half a surrogate pair") }
      text.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
    default: throw malformed("an unknown escape in a string")
    }
  }

  private mutating func hexadecimal() throws(TokenizationError) -> UInt32 {
    let digits = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
    guard digits.utf8.count == 4, digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
      let code = UInt32(digits, radix: 16)
    else { throw malformed("four hexadecimal digits were expected") }
    position += 4
    return code
  }

  private mutating func number() throws(TokenizationError) -> JSONValue {
    if let value = wholeNumber() { return .number(Double(value)) }
    let text = bytes[position...].prefix { byte in
      "+-.eE0123456789".utf8.contains(byte)
    }
    guard let first = text.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "."),
      let value = Double(String(decoding: text, as: UTF8.self))
    else { throw malformed("a value was expected") }
    position += text.count
    return .number(value)
  }

  /// Up to nine digits and nothing else of a number behind them, as nearly all are.
  private mutating func wholeNumber() -> Int? {
    var value = 0
    var end = position
    while end < bytes.count, end - position < 9, bytes[end] &- 0x30 < 10 {
      value = value * 10 + Int(bytes[end] - 0x30)
      end += 1
    }
    guard end > position, end < bytes.count, bytes[end] &- 0x30 >= 10,
      bytes[end] != UInt8(ascii: "."), bytes[end] | 0x20 != UInt8(ascii: "e")
    else { return nil }
    position = end
    return value
  }

  private mutating func literal(
    _ text: String, _ value: JSONValue
  ) throws(TokenizationError) -> JSONValue {
    guard bytes[position...].starts(with: text.utf8) else {
      throw malformed("a value was expected")
    }
    position += text.utf8.count
    return value
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skip(_ byte: UInt8) -> Bool {
    skipBlanks()
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipBlanks() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private func malformed(_ what: String) -> TokenizationError {
    TokenizationError(code: .malformed, message: "not JSON at byte \(position): \(what)")
  }
}
