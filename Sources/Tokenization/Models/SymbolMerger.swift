/// A token in the making: where in its word it ends.
struct MergeSymbol {
  var id: Int32
  var end: Int32
}

/// Merges the symbols of a word until no pair is left that merges.
enum SymbolMerger {
  /// Up to so many symbols all pairs are looked at again for every merge, which is faster than a
  /// heap there.
  static let shortCountMax = 32

  /// - Returns: how many symbols are left, the first ones.
  static func mergeShort(
    _ symbols: UnsafeMutablePointer<MergeSymbol>, _ count: Int, _ merges: MergeTable
  ) -> Int {
    guard count > 1 else { return count }
    return withUnsafeTemporaryAllocation(of: MergeTable.Merge.self, capacity: count) { buffer in
      guard let pairs = buffer.baseAddress else { return count }
      let none = MergeTable.Merge(rank: .max, id: -1)
      var count = count
      for index in 0..<count - 1 {
        (pairs + index).initialize(to: merges[symbols[index].id, symbols[index + 1].id] ?? none)
      }
      while true {
        var best = 0
        var rank = UInt32.max
        for index in 0..<count - 1 where pairs[index].rank < rank {
          best = index
          rank = pairs[index].rank
        }
        guard rank != .max else { return count }
        symbols[best] = MergeSymbol(id: pairs[best].id, end: symbols[best + 1].end)
        count -= 1
        for index in best + 1..<max(count, best + 1) { symbols[index] = symbols[index + 1] }
        for index in best..<max(count - 1, best) { pairs[index] = pairs[index + 1] }
        if best > 0 { pairs[best - 1] = merges[symbols[best - 1].id, symbols[best].id] ?? none }
        if best < count - 1 {
          pairs[best] = merges[symbols[best].id, symbols[best + 1].id] ?? none
        }
      }
    }
  }

  /// The same for words of any length, in time n log n.
  static func mergeLong(
    _ symbols: UnsafeMutablePointer<MergeSymbol>, _ count: Int, _ merges: MergeTable
  ) -> Int {
    var heap = MergeHeap()
    heap.reserveCapacity(count)
    // Neighbours of each symbol; a merged one's place is taken by the left part.
    var previous = (0..<count).map { $0 - 1 }
    var next = (0..<count).map { $0 + 1 }
    var isGone = Array(repeating: false, count: count)

    func push(_ left: Int, _ right: Int) {
      if let merge = merges[symbols[left].id, symbols[right].id] {
        heap.push(MergeHeap.Item(rank: merge.rank, position: UInt32(left), id: merge.id))
      }
    }
    for index in 0..<count - 1 { push(index, index + 1) }
    while let item = heap.pop() {
      let left = Int(item.position)
      let right = next[left]
      // The pair may have become another one since.
      guard !isGone[left], right < count,
        let merge = merges[symbols[left].id, symbols[right].id], merge.id == item.id
      else { continue }
      symbols[left] = MergeSymbol(id: item.id, end: symbols[right].end)
      isGone[right] = true
      next[left] = next[right]
      if next[right] < count { previous[next[right]] = left }
      if previous[left] >= 0 { push(previous[left], left) }
      if next[left] < count { push(left, next[left]) }
    }
    var kept = 0
    for index in 0..<count where !isGone[index] {
      symbols[kept] = symbols[index]
      kept += 1
    }
    return kept
  }
}

/// A binary heap of merges, the first to be done on top.
private struct MergeHeap {
  struct Item {
    var rank: UInt32
    var position: UInt32
    var id: Int32

    var order: UInt64 { UInt64(rank) << 32 | UInt64(position) }
  }

  private var items: [Item] = []

  mutating func reserveCapacity(_ count: Int) { items.reserveCapacity(count) }

  mutating func push(_ item: Item) {
    items.append(item)
    var index = items.count - 1
    while index > 0, items[(index - 1) / 2].order > item.order {
      items[index] = items[(index - 1) / 2]
      index = (index - 1) / 2
    }
    items[index] = item
  }

  mutating func pop() -> Item? {
    guard let top = items.first, let last = items.popLast() else { return nil }
    guard !items.isEmpty else { return top }
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < items.count else { break }
      if child + 1 < items.count, items[child + 1].order < items[child].order { child += 1 }
      guard items[child].order < last.order else { break }
      items[index] = items[child]
      index = child
    }
    items[index] = last
    return top
  }
}
