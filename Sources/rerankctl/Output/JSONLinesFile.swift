import Foundation

/// A file of JSON lines that grows: whoever stops in the middle of a line leaves the lines before it
/// whole, and the next one goes on after them.
final class JSONLinesFile {
  /// The last whole line that was there.
  let lastLine: String?
  private let handle: FileHandle
  private let path: String
  private var buffer = Data()

  /// Bytes that are written in one piece.
  private static let bufferBytesMax = 1 << 20
  /// A line that is longer is no line of ours.
  private static let lineBytesMax = LineReader.lineBytesMax

  /// - Parameter resumes: goes on with what is there; else the file must not exist.
  /// - Throws: ``InputError`` when the file cannot be had.
  init(path: String, resumes: Bool) throws {
    self.path = path
    guard path != "-" else {
      handle = .standardOutput
      lastLine = nil
      return
    }
    let flags = O_RDWR | O_CREAT | O_CLOEXEC | (resumes ? 0 : O_EXCL)
    let descriptor = open(path, flags, 0o600)
    guard descriptor >= 0 else {
      throw InputError(
        errno == EEXIST
          ? "\(path) is there already: --resume goes on with it, or choose another name"
          : "\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    lastLine = try Self.cutToWholeLines(handle, path: path)
  }

  func append(_ line: String) throws {
    buffer += Data((line + "\n").utf8)
    if buffer.count >= Self.bufferBytesMax { try flush() }
  }

  /// Hands everything to the system, and to the disk as well where that is asked for.
  func flush(toDisk: Bool = false) throws {
    do {
      try handle.write(contentsOf: buffer)
      buffer.removeAll(keepingCapacity: true)
    } catch {
      throw InputError("\(path) cannot be written: \(error.localizedDescription)")
    }
    guard toDisk, path != "-" else { return }
    guard fdatasync(handle.fileDescriptor) == 0 else {
      throw InputError("\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
  }

  func close() throws {
    try flush(toDisk: true)
    if path != "-" { try handle.close() }
  }

  /// Cuts off what stands after the last line break, reading from the end.
  ///
  /// - Returns: the last line before that.
  private static func cutToWholeLines(
    _ handle: FileHandle, path: String
  ) throws -> String? {
    let end = try handle.seekToEnd()
    var start = end
    var tail = Data()
    while start > 0 {
      let count = min(start, 1 << 16)
      start -= count
      try handle.seek(toOffset: start)
      tail = (try handle.read(upToCount: Int(count)) ?? Data()) + tail
      guard let last = tail.lastIndex(of: UInt8(ascii: "\n")) else { continue }
      let before = tail[..<last].lastIndex(of: UInt8(ascii: "\n"))
      guard before != nil || start == 0 else {
        guard tail.count <= lineBytesMax else {
          throw InputError("\(path): a line of over \(lineBytesMax >> 20) MiB")
        }
        continue
      }
      try handle.truncate(atOffset: start + UInt64(last) + 1)
      let line = tail[(before.map { $0 + 1 } ?? 0)..<last]
      return String(decoding: line, as: UTF8.self)
    }
    try handle.truncate(atOffset: 0)
    return nil
  }
}
