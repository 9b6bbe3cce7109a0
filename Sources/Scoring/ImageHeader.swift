import Foundation

/// What an encoded image file says about itself, read from its headers: nothing is decoded, so a
/// small file that would unpack to a huge picture costs nothing here.
public struct ImageHeader: Sendable, Equatable {
  public enum Format: String, Sendable {
    case png = "PNG"
    case jpeg = "JPEG"
    case gif = "GIF"
    case webp = "WEBP"
  }

  /// The bounds of what is read.
  public enum Limits {
    /// Parts of a file (chunks, segments) that are looked at.
    public static let partsMax = 10_000
    /// Of a data: URL.
    public static let urlBytesMax = 64 << 20
  }

  public var format: Format
  /// As stored, in pixels.
  public var width: Int
  public var height: Int
  /// EXIF's, or else XMP's, 1 to 8: 5 to 8 exchange width and height.
  public var orientation: Int

  public var displayWidth: Int { orientation >= 5 ? height : width }
  public var displayHeight: Int { orientation >= 5 ? width : height }

  /// Reads an image file.
  ///
  /// - Throws: ``EngineError`` with ``EngineError/Code/invalidArgument`` for another format, and for
  ///   a header that is cut short or contradicts itself.
  public init(parsing file: [UInt8]) throws(EngineError) {
    let bytes = ByteReader(file)
    if file.isEmpty {
      throw .malformedImage("the file is empty")
    } else if bytes.has([0x89] + Array("PNG\r\n".utf8) + [0x1A, 0x0A], at: 0) {
      self = try Self.png(bytes)
    } else if bytes.has([0xFF, 0xD8], at: 0) {
      self = try Self.jpeg(bytes)
    } else if bytes.has("GIF87a".utf8, at: 0) || bytes.has("GIF89a".utf8, at: 0) {
      self = try Self.gif(bytes)
    } else if bytes.has("RIFF".utf8, at: 0), bytes.has("WEBP".utf8, at: 8) {
      self = try Self.webp(bytes)
    } else {
      throw .malformedImage("the file is no PNG, JPEG, GIF or WebP")
    }
    guard 1...ImageTokens.sidePixelsMax ~= width, 1...ImageTokens.sidePixelsMax ~= height else {
      throw .malformedImage("a \(format.rawValue) of \(width)×\(height) pixels")
    }
  }

  /// Reads the image inside a data: URL with base64.
  ///
  /// - Throws: ``EngineError`` as for a file, and for a URL of another kind.
  public init(dataURL url: String) throws(EngineError) {
    guard url.utf8.count <= Limits.urlBytesMax else {
      throw .malformedImage("the data: URL is longer than \(Limits.urlBytesMax) bytes")
    }
    guard let comma = url.utf8.firstIndex(of: UInt8(ascii: ",")),
      url[..<comma].lowercased().hasPrefix("data:"),
      url[..<comma].lowercased().hasSuffix(";base64")
    else { throw .malformedImage("the data: URL is not \"data:image/…;base64,…\"") }
    guard let data = Data(base64Encoded: String(url[url.utf8.index(after: comma)...])) else {
      throw .malformedImage("the data: URL is not valid base64")
    }
    try self.init(parsing: [UInt8](data))
  }

  init(format: Format, width: Int, height: Int, orientation: Int = 1) {
    self.format = format
    self.width = width
    self.height = height
    self.orientation = orientation
  }
}

extension EngineError {
  static func malformedImage(_ what: String) -> EngineError {
    EngineError(code: .invalidArgument, message: "not a usable image: \(what)", isRetryable: false)
  }
}

/// Numbers at positions of a file, nil beyond its end.
struct ByteReader {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  var count: Int { bytes.count }

  func has(_ expected: some Collection<UInt8>, at position: Int) -> Bool {
    position >= 0 && position <= count && bytes[position...].starts(with: expected)
  }

  func byte(_ position: Int) -> Int? {
    0..<count ~= position ? Int(bytes[position]) : nil
  }

  func bigEndian(_ position: Int, bytes length: Int) -> Int? {
    guard position >= 0, position <= count - length else { return nil }
    return bytes[position..<(position + length)].reduce(0) { $0 << 8 | Int($1) }
  }

  func littleEndian(_ position: Int, bytes length: Int) -> Int? {
    guard position >= 0, position <= count - length else { return nil }
    return bytes[position..<(position + length)].reversed().reduce(0) { $0 << 8 | Int($1) }
  }
}
