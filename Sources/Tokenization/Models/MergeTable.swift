/// Which pairs of tokens become one, in which order, and which token that is.
struct MergeTable: Sendable {
  struct Merge: Sendable {
    /// Smaller ones come first.
    var rank: UInt32
    var id: Int32
  }

  private struct Slot {
    var pair: UInt64
    var merge: Merge
  }

  private static let empty = UInt64.max

  /// Open addressing.
  private var slots: [Slot]
  private let shift: UInt64

  init(countMax: Int) {
    var bits: UInt64 = 4
    while 1 << bits < countMax * 2 { bits += 1 }
    shift = 64 - bits
    slots = Array(
      repeating: Slot(pair: Self.empty, merge: Merge(rank: 0, id: 0)), count: 1 << Int(bits))
  }

  /// Of two merges of one pair the later counts, as in the reference.
  mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
    let pair = Self.pair(left, right)
    var index = self.index(pair)
    while slots[index].pair != Self.empty, slots[index].pair != pair {
      index = (index + 1) & (slots.count - 1)
    }
    slots[index] = Slot(pair: pair, merge: merge)
  }

  @inline(__always)
  subscript(left: Int32, right: Int32) -> Merge? {
    let pair = Self.pair(left, right)
    var index = self.index(pair)
    return slots.withUnsafeBufferPointer { slots in
      while true {
        let slot = slots[index]
        if slot.pair == pair { return slot.merge }
        if slot.pair == Self.empty { return nil }
        index = (index + 1) & (slots.count - 1)
      }
    }
  }

  @inline(__always)
  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private func index(_ pair: UInt64) -> Int {
    Int(truncatingIfNeeded: ((pair ^ pair >> 31) &* 0x9E37_79B9_7F4A_7C15) >> shift)
  }
}
