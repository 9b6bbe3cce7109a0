import Foundation

/// The lines of a file or of standard input ("-"), read as they are asked for, of bounded length.
struct LineReader: Sequence, IteratorProtocol {
  /// A line that is longer is an error: a job's largest request and its base64.
  static let lineBytesMax = 96 << 20

  let name: String
  private(set) var line = 0
  private let handle: FileHandle
  private var buffer: [UInt8] = []
  /// Where the next line begins in `buffer`, and how far it was searched for the line's end.
  private var start = 0
  private var searched = 0
  private var ended = false
  private(set) var error: InputError?
  private var bytesRead = 0
  /// Of a regular file.
  private let bytesTotal: Int?

  /// - Throws: ``InputError`` when the file cannot be opened.
  init(path: String) throws {
    if path == "-" {
      name = "standard input"
      handle = .standardInput
    } else {
      name = path
      guard let handle = FileHandle(forReadingAtPath: path) else {
        throw InputError("\(path): cannot be read; is it there, and may you read it?")
      }
      self.handle = handle
    }
    var status = stat()
    let isKnown = fstat(handle.fileDescriptor, &status) == 0
    let isFile = isKnown && status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG)
    bytesTotal = isFile ? Int(status.st_size) : nil
  }

  /// How much of a file was returned, 0 to 1; nil where its size says nothing.
  var share: Double? {
    guard let bytesTotal, bytesTotal > 0 else { return nil }
    let bytesReturned = bytesRead - (buffer.count - start)
    return Swift.min(1, Double(bytesReturned) / Double(bytesTotal))
  }

  /// "FILE:LINE" of the line that was read last.
  var place: String { "\(name):\(line)" }

  /// The next line without its end; nil at the end, or when ``error`` is set.
  mutating func next() -> String? {
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { (start, searched) = (end + 1, end + 1) }
        return text(buffer[start..<end])
      }
      searched = buffer.count
      if ended {
        defer { start = buffer.count }
        return start < buffer.count ? text(buffer[start...]) : nil
      }
      guard buffer.count - start <= Self.lineBytesMax else {
        error = InputError("\(name):\(line + 1): a line of over \(Self.lineBytesMax >> 20) MiB")
        return nil
      }
      refill()
    }
  }

  private mutating func refill() {
    buffer.removeSubrange(..<start)
    (start, searched) = (0, searched - start)
    let chunk = (try? handle.read(upToCount: 1 << 20)) ?? nil
    if let chunk, !chunk.isEmpty {
      buffer.append(contentsOf: chunk)
      bytesRead += chunk.count
    } else {
      ended = true
    }
  }

  private mutating func text(_ bytes: ArraySlice<UInt8>) -> String? {
    line += 1
    let bytes = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
    guard let text = String(validating: bytes, as: UTF8.self) else {
      error = InputError("\(place): not valid UTF-8")
      return nil
    }
    return text
  }
}
