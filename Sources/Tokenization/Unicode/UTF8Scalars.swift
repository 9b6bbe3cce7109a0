/// Scalars in valid UTF-8, without the checks that Swift's own decoder has to make.
enum UTF8Scalars {
  /// How many bytes a scalar has that begins with this byte.
  @inline(__always)
  static func length(startingWith first: UInt8) -> Int {
    first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
  }

  @inline(__always)
  static func length(of scalar: UInt32) -> Int {
    scalar < 0x80 ? 1 : scalar < 0x800 ? 2 : scalar < 0x1_0000 ? 3 : 4
  }

  @inline(__always)
  static func decode(_ bytes: UnsafePointer<UInt8>, _ length: Int) -> UInt32 {
    func rest(_ index: Int) -> UInt32 { UInt32(bytes[index] & 0x3F) }
    let first = UInt32(bytes[0])
    switch length {
    case 1: return first
    case 2: return (first & 0x1F) << 6 | rest(1)
    case 3: return (first & 0x0F) << 12 | rest(1) << 6 | rest(2)
    default: return (first & 0x07) << 18 | rest(1) << 12 | rest(2) << 6 | rest(3)
    }
  }

  @inline(__always)
  static func encode(
    _ scalar: UInt32, _ length: Int, to bytes: UnsafeMutablePointer<UInt8>
  ) {
    func rest(_ shift: UInt32) -> UInt8 {
      UInt8(truncatingIfNeeded: 0x80 | (scalar >> shift & 0x3F))
    }
    switch length {
    case 1:
      bytes[0] = UInt8(truncatingIfNeeded: scalar)
    case 2:
      bytes[0] = UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6)
      bytes[1] = rest(0)
    case 3:
      bytes[0] = UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12)
      bytes[1] = rest(6)
      bytes[2] = rest(0)
    default:
      bytes[0] = UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18)
      bytes[1] = rest(12)
      bytes[2] = rest(6)
      bytes[3] = rest(0)
    }
  }
}

/// A place in valid UTF-8 that is read scalar by scalar.
struct ScalarReader {
  let bytes: UnsafeBufferPointer<UInt8>
  var position: Int
  let end: Int

  @inline(__always)
  init(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// The scalar at ``position``, which moves behind it; nil at the end.
  @inline(__always)
  mutating func next() -> UInt32? {
    guard let scalar = peek() else { return nil }
    position += UTF8Scalars.length(of: scalar)
    return scalar
  }

  @inline(__always)
  func peek() -> UInt32? {
    guard position < end, let base = bytes.baseAddress else { return nil }
    let first = base[position]
    if first < 0x80 { return UInt32(first) }
    return UTF8Scalars.decode(base + position, UTF8Scalars.length(startingWith: first))
  }
}
