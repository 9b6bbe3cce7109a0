typealias FloatBuffer = AlignedBuffer<Float>

/// Numbers in one aligned block.
///
/// Sendable, since a weight's buffer is written only before it is shared, and a lane's scratch is
/// only ever seen by that lane.
final class AlignedBuffer<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  let start: UnsafeMutablePointer<Element>
  let count: Int

  /// `count` zeros.
  init(count: Int) {
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(count, 1) * MemoryLayout<Element>.stride, alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    self.count = count
    self.start = bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: Element.self)
  }

  deinit {
    start.deallocate()
  }
}
