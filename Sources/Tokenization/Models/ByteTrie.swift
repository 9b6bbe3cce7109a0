/// Byte strings and a number for each, found by what a text begins with: a double array, in which
/// the child of a node for a byte lies at the node's base with the byte's bits flipped.
struct ByteTrie: Sendable {
  private struct Unit {
    var base: Int32 = 0
    /// Whose child this is; negative where the place is free.
    var parent: Int32 = -1
    /// Negative where no key ends.
    var value: Int32 = -1
  }

  private var units: [Unit]

  /// - Parameter keys: not empty; of equal ones the last counts.
  init(_ keys: [(key: [UInt8], value: Int32)]) {
    // Sorting by first bytes and then by the whole is much faster than by the whole alone.
    let ordered = keys.enumerated().map { index, item in
      var head: UInt64 = 0
      for offset in 0..<8 {
        head = head << 8 | (offset < item.key.count ? UInt64(item.key[offset]) : 0)
      }
      return (head: head, key: item.key, value: item.value, index: index)
    }.sorted { first, second in
      if first.head != second.head { return first.head < second.head }
      if first.key != second.key { return first.key.lexicographicallyPrecedes(second.key) }
      return first.index < second.index
    }
    // Side by side in their order, which the levels below go through again and again.
    var bytes: [UInt8] = []
    var starts = [0]
    for item in ordered {
      bytes.append(contentsOf: item.key)
      starts.append(bytes.count)
    }
    var places = PlaceFinder()
    units = Array(repeating: Unit(), count: 256)
    var level = [(node: 0, range: 0..<ordered.count)]
    var depth = 0
    while !level.isEmpty {
      var below: [(node: Int, range: Range<Int>)] = []
      for (node, range) in level {
        var start = range.lowerBound
        while start < range.upperBound, starts[start] + depth == starts[start + 1] {
          units[node].value = ordered[start].value
          start += 1
        }
        var children: [(byte: UInt8, range: Range<Int>)] = []
        while start < range.upperBound {
          let byte = bytes[starts[start] + depth]
          var stop = start + 1
          while stop < range.upperBound, bytes[starts[stop] + depth] == byte { stop += 1 }
          children.append((byte, start..<stop))
          start = stop
        }
        guard !children.isEmpty else { continue }
        let base = places.take(children.map(\.byte))
        while units.count < places.count { units.append(Unit()) }
        units[node].base = Int32(truncatingIfNeeded: base)
        for (byte, range) in children {
          let child = base ^ Int(byte)
          units[child].parent = Int32(truncatingIfNeeded: node)
          below.append((child, range))
        }
      }
      level = below
      depth += 1
    }
  }

  /// Calls `body` with the end and the value of each key that the text has at a position, shorter
  /// ones first.
  @inline(__always)
  func forEachKey(
    in text: UnsafeBufferPointer<UInt8>, at start: Int, _ body: (Int, Int32) -> Void
  ) {
    units.withUnsafeBufferPointer { units in
      var node = 0
      var base = Int(units[0].base)
      var position = start
      while position < text.count {
        let child = base ^ Int(text[position])
        let unit = units[child]
        guard unit.parent == Int32(truncatingIfNeeded: node) else { break }
        node = child
        base = Int(unit.base)
        position += 1
        if unit.value >= 0 { body(position, unit.value) }
      }
    }
  }

  /// The value of a whole text.
  func value(_ text: UnsafeBufferPointer<UInt8>) -> Int32? {
    var found: Int32?
    forEachKey(in: text, at: 0) { end, value in if end == text.count { found = value } }
    return found
  }

  /// Finds places for the children of one node after the other, in blocks of 256.
  private struct PlaceFinder {
    /// Blocks that are looked at, and failures after which one is not any more: what they leave
    /// unused is little, and looking takes time.
    private static let openBlocksMax = 16
    private static let failuresMax = 8

    private struct Block {
      var number: Int
      var failures = 0
    }

    /// A bit for each place that is taken, four words a block.
    private var taken: [UInt64] = [1, 0, 0, 0]
    private var open = [Block(number: 0)]

    /// Places so far.
    var count: Int { taken.count * 64 }

    /// Takes the places of children with these bytes, and gives the base that they lie at.
    mutating func take(_ bytes: [UInt8]) -> Int {
      for index in open.indices {
        if let base = base(for: bytes, in: open[index].number) {
          mark(bytes, base)
          return base
        }
        open[index].failures += 1
      }
      open.removeAll { $0.failures > Self.failuresMax }
      if open.count == Self.openBlocksMax { open.removeFirst() }
      let number = taken.count / 4
      open.append(Block(number: number))
      taken += [0, 0, 0, 0]
      let base = number * 256
      mark(bytes, base)
      return base
    }

    private func base(for bytes: [UInt8], in block: Int) -> Int? {
      for word in 0..<4 {
        var free = ~taken[block * 4 + word]
        while free != 0 {
          let place = block * 256 + word * 64 + free.trailingZeroBitCount
          free &= free - 1
          let base = place ^ Int(bytes[0])
          if bytes.dropFirst().allSatisfy({ !isTaken(base ^ Int($0)) }) { return base }
        }
      }
      return nil
    }

    private func isTaken(_ place: Int) -> Bool { taken[place / 64] >> (place % 64) & 1 != 0 }

    private mutating func mark(_ bytes: [UInt8], _ base: Int) {
      for byte in bytes {
        let place = base ^ Int(byte)
        taken[place / 64] |= 1 << (place % 64)
      }
    }
  }
}
