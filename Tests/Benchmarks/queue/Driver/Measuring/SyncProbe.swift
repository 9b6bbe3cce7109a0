import Glibc

/// How long the disk takes to make 4 KiB durable: the floor under every peer's figures, measured
/// before, between and after them, since it drifts.
struct SyncProbe: Codable, Sendable {
  var when: String
  var count: Int
  var p50Milliseconds: Double
  var p99Milliseconds: Double

  var perSecond: Double { 1_000 / p50Milliseconds }

  private static let blockBytes = 4_096
  /// The file is written round and round within this size, like a write-ahead log.
  private static let fileBytes = 4 << 20

  /// Writes and syncs blocks in a file of its own in the folder for so long.
  ///
  /// - Throws: ``BenchmarkError`` when the folder's disk cannot be written.
  static func measure(_ when: String, in folder: DataFolder, seconds: Double) throws -> SyncProbe {
    let path = folder.path("sync-probe")
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw BenchmarkError(system: "open \(path)") }
    defer {
      close(descriptor)
      unlink(path)
    }
    let block = [UInt8](repeating: 0x5A, count: blockBytes)
    for offset in stride(from: 0, to: fileBytes, by: blockBytes) {
      try write(block, to: descriptor, at: offset)
    }
    guard fsync(descriptor) == 0 else { throw BenchmarkError(system: "fsync \(path)") }

    var histogram = LatencyHistogram()
    var offset = 0
    let deadline = monotonicNanoseconds() + Int64(seconds * 1e9)
    while monotonicNanoseconds() < deadline {
      let start = monotonicNanoseconds()
      try write(block, to: descriptor, at: offset)
      guard fdatasync(descriptor) == 0 else { throw BenchmarkError(system: "fdatasync \(path)") }
      histogram.record(nanoseconds: monotonicNanoseconds() - start)
      offset = (offset + blockBytes) % fileBytes
    }
    return SyncProbe(
      when: when, count: histogram.count,
      p50Milliseconds: histogram.milliseconds(atShare: 0.5) ?? 0,
      p99Milliseconds: histogram.milliseconds(atShare: 0.99) ?? 0)
  }

  private static func write(_ block: [UInt8], to descriptor: Int32, at offset: Int) throws {
    guard pwrite(descriptor, block, block.count, off_t(offset)) == block.count else {
      throw BenchmarkError(system: "pwrite")
    }
  }
}
