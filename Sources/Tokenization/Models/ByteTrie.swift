/// Byte strings and a number for each, found by what a text begins with.
///
/// The nodes lie level by level, the children of one side by side in the order of their bytes.
struct ByteTrie: Sendable {
  private struct Node {
    var firstChild: UInt32 = 0
    var childCount: UInt16 = 0
    var byte: UInt8
    /// Negative where no key ends.
    var value: Int32
  }

  private var nodes = [Node(byte: 0, value: -1)]

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
    var level = [(node: 0, range: 0..<ordered.count)]
    var depth = 0
    while !level.isEmpty {
      var below: [(node: Int, range: Range<Int>)] = []
      for (node, range) in level {
        var start = range.lowerBound
        while start < range.upperBound, ordered[start].key.count == depth {
          nodes[node].value = ordered[start].value
          start += 1
        }
        nodes[node].firstChild = UInt32(nodes.count)
        while start < range.upperBound {
          let byte = ordered[start].key[depth]
          var stop = start + 1
          while stop < range.upperBound, ordered[stop].key[depth] == byte { stop += 1 }
          nodes[node].childCount += 1
          below.append((nodes.count, start..<stop))
          nodes.append(Node(byte: byte, value: -1))
          start = stop
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
    nodes.withUnsafeBufferPointer { nodes in
      var node = nodes[0]
      var position = start
      while position < text.count, let child = Self.child(of: node, text[position], nodes) {
        node = child
        position += 1
        if node.value >= 0 { body(position, node.value) }
      }
    }
  }

  /// The value of a whole text.
  func value(_ text: UnsafeBufferPointer<UInt8>) -> Int32? {
    var found: Int32?
    forEachKey(in: text, at: 0) { end, value in if end == text.count { found = value } }
    return found
  }

  @inline(__always)
  private static func child(
    of node: Node, _ byte: UInt8, _ nodes: UnsafeBufferPointer<Node>
  ) -> Node? {
    var low = Int(node.firstChild)
    var high = low + Int(node.childCount)
    while high - low > 4 {
      let middle = (low + high) / 2
      if nodes[middle].byte <= byte { low = middle } else { high = middle }
    }
    while low < high {
      if nodes[low].byte == byte { return nodes[low] }
      low += 1
    }
    return nil
  }
}
