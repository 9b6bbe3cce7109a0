import Foundation

/// A file of JSON lines that grows: whoever stops in the middle of a line leaves the lines before it
/// whole, and the next one goes on after them.
final class JSONLinesFile {
  typealias Line = [String: JSONValue]

  /// The last whole line that was there.
  let lastLine: Line?
  private let handle: FileHandle
  private let path: String
  private var buffer = Data()

  /// Bytes that are written in one piece.
  private static let bufferBytesMax = 1 << 20
  /// Bytes that are looked at in one piece for the beginning of a line.
  private static let pieceBytes: UInt64 = 1 << 16
  /// A line that is longer is no line of ours.
  private static let lineBytesMax = UInt64(LineReader.lineBytesMax)

  /// - Parameters:
  ///   - resumes: goes on with what is there; else the file must not exist.
  ///   - isOwn: whether a line is one that the command writes. A file whose last whole line is
  ///     another is somebody else's, and stays as it is.
  /// - Throws: ``InputError`` when the file cannot be had.
  init(path: String, resumes: Bool, isOwn: (Line) -> Bool) throws {
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
    do {
      lastLine = try Self.end(handle, path: path, isOwn: isOwn)
    } catch where !(error is InputError) {
      throw InputError("\(path) cannot be continued: \(error.localizedDescription)")
    }
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

  // MARK: What was there

  /// Goes to the end of the last whole line, and cuts off the beginning of another one.
  ///
  /// - Returns: that line; nil in an empty file.
  private static func end(
    _ handle: FileHandle, path: String, isOwn: (Line) -> Bool
  ) throws -> Line? {
    let end = try handle.seekToEnd()
    guard end > 0 else { return nil }
    func own(_ bytes: Range<UInt64>) throws -> Line? {
      try handle.seek(toOffset: bytes.lowerBound)
      let data = try handle.read(upToCount: bytes.count) ?? Data()
      guard let text = String(validating: data, as: UTF8.self),
        case .object(let line)? = try? JSONValue.parse(text, at: path), isOwn(line)
      else { return nil }
      return line
    }
    let start = try lineStart(before: end, handle, path: path)
    if start < end, let line = try own(start..<end) {
      // Nothing but its line break is missing.
      try handle.write(contentsOf: Data("\n".utf8))
      return line
    }
    guard start > 0,
      let line = try own(lineStart(before: start - 1, handle, path: path)..<start - 1)
    else {
      throw InputError(
        "\(path) does not end with a line that this command writes, and is left as it is: choose "
          + "another name, or remove it")
    }
    try handle.truncate(atOffset: start)
    return line
  }

  /// Where the line begins that an offset is in or at the end of.
  private static func lineStart(
    before end: UInt64, _ handle: FileHandle, path: String
  ) throws -> UInt64 {
    var start = end
    while start > 0 {
      guard end - start <= lineBytesMax else {
        throw InputError("\(path): its last line has over \(lineBytesMax >> 20) MiB")
      }
      let count = min(start, pieceBytes)
      start -= count
      try handle.seek(toOffset: start)
      let piece = try handle.read(upToCount: Int(count)) ?? Data()
      if let last = piece.range(of: Data("\n".utf8), options: .backwards) {
        return start + UInt64(piece.distance(from: piece.startIndex, to: last.upperBound))
      }
    }
    return 0
  }
}
