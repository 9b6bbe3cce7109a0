/// Floats in one aligned block.
///
/// Sendable, since a weight's buffer is written only before it is shared, and a lane's scratch is
/// only ever seen by that lane.
final class FloatBuffer: @unchecked Sendable {
  let start: UnsafeMutablePointer<Float>
  let count: Int

  /// `count` zeros.
  init(count: Int) {
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(count, 1) * MemoryLayout<Float>.stride, alignment: 64)
    self.count = count
    self.start = bytes.bindMemory(to: Float.self).baseAddress.unsafelyUnwrapped
    start.initialize(repeating: 0, count: max(count, 1))
  }

  deinit {
    start.deallocate()
  }
}
