/// A value for every Unicode scalar, in blocks of 256 scalars that share storage where whole
/// blocks have one value.
struct ScalarTable<Value: FixedWidthInteger & Sendable>: Sendable {
  private var blocks: [UInt16]
  private var values: [Value]
  /// Where the shared block of one value begins, in blocks; never written to.
  private var uniformBlocks: [Value: UInt16]

  /// Every scalar has the value 0.
  init() {
    blocks = Array(repeating: 0, count: 0x110000 >> 8)
    values = Array(repeating: 0, count: 256)
    uniformBlocks = [0: 0]
  }

  /// - Parameter scalar: at most 0x10FFFF.
  @inline(__always)
  subscript(scalar: UInt32) -> Value {
    values[Int(blocks[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)]
  }

  /// The scalars whose value is not 0.
  var scalars: [UInt32] {
    blocks.indices.filter { blocks[$0] != 0 }.flatMap { block in
      (UInt32(block) << 8..<UInt32(block + 1) << 8).filter { self[$0] != 0 }
    }
  }

  /// Sets the value of a range of scalars that have not been set before.
  mutating func fill(_ range: Range<Int>, with value: Value) {
    var start = range.lowerBound
    while start < range.upperBound {
      let block = start >> 8
      let end = min(range.upperBound, (block + 1) << 8)
      if end - start == 256 {
        blocks[block] = uniformBlock(of: value)
      } else {
        if blocks[block] == 0 { blocks[block] = addBlock(of: 0) }
        let base = Int(blocks[block]) << 8
        for scalar in start..<end { values[base | scalar & 0xFF] = value }
      }
      start = end
    }
  }

  private mutating func uniformBlock(of value: Value) -> UInt16 {
    if let block = uniformBlocks[value] { return block }
    let block = addBlock(of: value)
    uniformBlocks[value] = block
    return block
  }

  private mutating func addBlock(of value: Value) -> UInt16 {
    let block = UInt16(values.count >> 8)
    values.append(contentsOf: repeatElement(value, count: 256))
    return block
  }
}
