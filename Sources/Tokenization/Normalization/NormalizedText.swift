/// A part of a text on its way through the stages: what it is by now, and where in the source each
/// of its scalars ends.
struct NormalizedText {
  /// Valid UTF-8.
  let bytes: [UInt8]
  /// For each byte where in the source what made its scalar ends; empty while nothing has changed.
  let ends: [Int]
  /// Where in the source the part begins.
  let start: Int
  /// Whether the first of ``bytes`` comes from the source's first ones, nothing before it having
  /// been removed.
  let beginsSource: Bool

  /// Part of a source, as it stands there.
  init(_ source: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
    bytes = Array(source[range])
    ends = []
    start = range.lowerBound
    beginsSource = range.lowerBound == 0
  }

  /// Part of another text.
  init(_ text: NormalizedText, _ range: Range<Int>) {
    bytes = Array(text.bytes[range])
    ends = text.ends.isEmpty ? [] : Array(text.ends[range])
    start = text.end(before: range.lowerBound)
    beginsSource = text.beginsSource && range.lowerBound == 0
  }

  private init(_ rewriter: TextRewriter, of text: NormalizedText) {
    bytes = rewriter.bytes
    ends = rewriter.ends
    start = text.start
    beginsSource = text.beginsSource && !rewriter.beginsWithRemoval
  }

  /// Where in the source what made the bytes before a position ends.
  @inline(__always)
  func end(before position: Int) -> Int {
    position == 0 ? start : ends.isEmpty ? start + position : ends[position - 1]
  }

  /// What `body` appends to the rewriter, given this text's bytes.
  func rewritten(
    _ body: (UnsafeBufferPointer<UInt8>, inout TextRewriter) -> Void
  ) -> NormalizedText {
    var rewriter = TextRewriter(self)
    bytes.withUnsafeBufferPointer { body($0, &rewriter) }
    return NormalizedText(rewriter, of: self)
  }

  /// What `body` makes of each scalar, given the rewriter and the position behind the scalar.
  func rewrittenByScalar(
    _ body: (UInt32, Int, inout TextRewriter) -> Void
  ) -> NormalizedText {
    rewritten { bytes, rewriter in
      var reader = ScalarReader(bytes, 0..<bytes.count)
      while let scalar = reader.next() { body(scalar, reader.position, &rewriter) }
    }
  }
}

/// Collects what a text becomes, and where in the source it comes from.
struct TextRewriter {
  private let text: NormalizedText
  private(set) var bytes: [UInt8] = []
  private(set) var ends: [Int] = []
  private(set) var beginsWithRemoval = false

  init(_ text: NormalizedText) {
    self.text = text
    bytes.reserveCapacity(text.bytes.count + text.bytes.count / 4 + 8)
    ends.reserveCapacity(text.bytes.count + text.bytes.count / 4 + 8)
  }

  /// - Parameter position: up to where the old text was used for this.
  @inline(__always)
  mutating func append(_ scalar: UInt32, upTo position: Int) {
    let end = text.end(before: position)
    if scalar < 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: scalar))
      ends.append(end)
      return
    }
    let length = UTF8Scalars.length(of: scalar)
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4) { buffer in
      guard let base = buffer.baseAddress else { return }
      UTF8Scalars.encode(scalar, length, to: base)
      for index in 0..<length {
        bytes.append(base[index])
        ends.append(end)
      }
    }
  }

  @inline(__always)
  mutating func append(_ more: some Collection<UInt8>, upTo position: Int) {
    bytes.append(contentsOf: more)
    ends.append(contentsOf: repeatElement(text.end(before: position), count: more.count))
  }

  /// Takes over a range of the old text as it is.
  mutating func copy(_ range: Range<Int>) {
    bytes.append(contentsOf: text.bytes[range])
    if text.ends.isEmpty {
      for position in range { ends.append(text.start + position + 1) }
    } else {
      ends.append(contentsOf: text.ends[range])
    }
  }

  /// Leaves out the old text up to a position: it belongs to the scalar before it.
  @inline(__always)
  mutating func remove(upTo position: Int) {
    if ends.isEmpty {
      beginsWithRemoval = true
    } else {
      ends[ends.count - 1] = text.end(before: position)
    }
  }
}

/// Where in the source what made each byte of a piece ends.
struct SourceEnds {
  /// nil where the bytes are the source's own.
  let ends: UnsafePointer<Int>?
  /// Where in the source the piece begins, without ``ends``.
  let start: Int

  @inline(__always)
  subscript(byte: Int) -> Int { ends?[byte] ?? start + byte + 1 }
}
