/// Finds the matches of the patterns of `SplitPattern` that words are cut by, one behind the other:
/// of the alternatives the first that matches counts, as with backtracking.
struct WordPatternScanner {
  private typealias Class = TextTables.Class

  private let tables = TextTables.shared
  private let bytes: UnsafeBufferPointer<UInt8>
  private let end: Int
  private var position: Int

  init(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  mutating func nextOfGPT2() -> Range<Int>? {
    guard position < end else { return nil }
    let start = position
    if let contraction = contractionEnd(ignoringCase: false) { return match(start, contraction) }
    // One blank goes with what follows it, unless that is white space.
    var first = classes(at: start)
    var content = start
    if bytes[start] == UInt8(ascii: " "), start + 1 < end {
      let next = classes(at: start + 1)
      if next.bits & Class.space == 0 {
        content = start + 1
        first = next
      }
    }
    let kind = first.bits & (Class.letter | Class.number)
    if kind != 0 { return match(start, skip(from: content) { $0 & kind != 0 }) }
    if first.bits & Class.space == 0 {
      return match(start, skip(from: content) { $0 & Self.named == 0 })
    }
    return match(start, spacesEnd(from: start))
  }

  /// ```
  /// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digitsMax}|
  /// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
  /// ```
  mutating func nextOfGPT4(digitsMax: Int) -> Range<Int>? {
    guard position < end else { return nil }
    let start = position
    if let contraction = contractionEnd(ignoringCase: true) { return match(start, contraction) }
    let first = classes(at: start)
    if first.bits & Class.letter != 0 {
      return match(start, skip(from: first.end) { $0 & Class.letter != 0 })
    }
    if first.bits & Class.number != 0 {
      var stop = first.end
      var count = 1
      while count < digitsMax, stop < end {
        let next = classes(at: stop)
        guard next.bits & Class.number != 0 else { break }
        stop = next.end
        count += 1
      }
      return match(start, stop)
    }
    let second = first.end < end ? classes(at: first.end) : nil
    if let second, second.bits & Class.letter != 0, !isLineEnd(start) {
      return match(start, skip(from: second.end) { $0 & Class.letter != 0 })
    }
    var content: Int?
    if first.bits & Class.space == 0 {
      content = start
    } else if bytes[start] == UInt8(ascii: " "), let second, second.bits & Self.named == 0 {
      content = first.end
    }
    if let content {
      var stop = skip(from: content) { $0 & Self.named == 0 }
      while stop < end, isLineEnd(stop) { stop += 1 }
      return match(start, stop)
    }
    return match(start, lineEndsEnd(from: start) ?? spacesEnd(from: start))
  }

  private static let named = Class.space | Class.letter | Class.number

  private mutating func match(_ start: Int, _ stop: Int) -> Range<Int> {
    position = stop
    return start..<stop
  }

  /// The classes of the scalar at a position, and where it ends.
  @inline(__always)
  private func classes(at position: Int) -> (bits: UInt8, end: Int) {
    let first = bytes[position]
    if first < 0x80 { return (tables.ascii[Int(first)], position + 1) }
    var reader = ScalarReader(bytes, position..<end)
    let scalar = reader.next() ?? 0
    return (tables.classes[scalar], reader.position)
  }

  @inline(__always)
  private func skip(from start: Int, while isPart: (UInt8) -> Bool) -> Int {
    var position = start
    while position < end {
      let scalar = classes(at: position)
      guard isPart(scalar.bits) else { break }
      position = scalar.end
    }
    return position
  }

  private func isLineEnd(_ position: Int) -> Bool {
    bytes[position] == 0x0A || bytes[position] == 0x0D
  }

  /// `\s*[\r\n]+`: up to the last end of a line in the white space.
  private func lineEndsEnd(from start: Int) -> Int? {
    var last: Int?
    var position = start
    while position < end {
      let scalar = classes(at: position)
      guard scalar.bits & Class.space != 0 else { break }
      if isLineEnd(position) { last = scalar.end }
      position = scalar.end
    }
    return last
  }

  /// `\s+(?!\S)|\s+`: white space before something else gives its last scalar back to it, unless it
  /// is the only one.
  private func spacesEnd(from start: Int) -> Int {
    var last = start
    var position = start
    while position < end {
      let scalar = classes(at: position)
      guard scalar.bits & Class.space != 0 else { break }
      last = position
      position = scalar.end
    }
    return position < end && last > start ? last : position
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`, where the long s is an s if case does not count.
  private func contractionEnd(ignoringCase: Bool) -> Int? {
    guard bytes[position] == UInt8(ascii: "'"), position + 1 < end else { return nil }
    let mask: UInt8 = ignoringCase ? 0xDF : 0xFF
    let base: UInt8 = ignoringCase ? 0x20 : 0
    func letter(_ offset: Int) -> UInt8 {
      let at = position + offset
      guard at < end, bytes[at] < 0x80 else { return 0 }
      let isLetter = UInt8(ascii: "A")...UInt8(ascii: "Z") ~= bytes[at] & 0xDF
      return isLetter ? bytes[at] & mask | base : 0
    }
    switch letter(1) {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return position + 2
    case UInt8(ascii: "r") where letter(2) == UInt8(ascii: "e"): return position + 3
    case UInt8(ascii: "v") where letter(2) == UInt8(ascii: "e"): return position + 3
    case UInt8(ascii: "l") where letter(2) == UInt8(ascii: "l"): return position + 3
    default:
      let isLongS = position + 2 < end && bytes[position + 1] == 0xC5 && bytes[position + 2] == 0xBF
      return ignoringCase && isLongS ? position + 3 : nil
    }
  }
}
