extension ImageHeader {
  /// A signature, then chunks of (length, name, data, CRC), of which IHDR is the first.
  static func png(_ file: ByteReader) throws(EngineError) -> ImageHeader {
    guard file.bigEndian(8, bytes: 4) == 13, file.has("IHDR".utf8, at: 12),
      let width = file.bigEndian(16, bytes: 4), let height = file.bigEndian(20, bytes: 4),
      let checksum = file.bigEndian(29, bytes: 4)
    else { throw .malformedImage("a PNG without its header") }
    guard CRC32.checksum(file.bytes[12..<29]) == checksum else {
      throw .malformedImage("a PNG whose header has a wrong checksum")
    }
    guard file.byte(26) == 0 else {
      throw .malformedImage("a PNG with an unknown compression method")
    }
    var exif: Int?
    var xmp: Int?
    var position = 33
    for _ in 0..<Limits.partsMax where exif == nil {
      guard let length = file.bigEndian(position, bytes: 4), position + 8 <= file.count
      else { break }
      let data = (position + 8)..<min(position + 8 + length, file.count)
      if file.has("eXIf".utf8, at: position + 4) {
        exif = ImageOrientation.exif(file, data)
      } else if file.has("iTXt".utf8, at: position + 4),
        file.has("XML:com.adobe.xmp\0\0".utf8, at: data.lowerBound)
      {
        xmp = ImageOrientation.xmp(file, data)
      } else if file.has("iCCP".utf8, at: position + 4),
        let name = file.bytes[data].firstIndex(of: 0), file.byte(name + 1) != 0
      {
        // The reference refuses the whole file for it.
        throw .malformedImage("a PNG whose colour profile has an unknown compression method")
      }
      position += 12 + length
    }
    return ImageHeader(
      format: .png, width: width, height: height, orientation: exif ?? xmp ?? 1)
  }

  /// Segments of (0xFF, marker, length, data) up to the scan; a frame header has the size.
  static func jpeg(_ file: ByteReader) throws(EngineError) -> ImageHeader {
    var size: (width: Int, height: Int)?
    var exif: Int?
    var xmp: Int?
    var position = 2
    for _ in 0..<Limits.partsMax {
      guard file.byte(position) == 0xFF, var marker = file.byte(position + 1) else { break }
      position += 2
      while marker == 0xFF, let next = file.byte(position) {
        marker = next
        position += 1
      }
      if marker == 0xDA || marker == 0xD9 { break }
      if marker == 0x01 || 0xD0...0xD7 ~= marker { continue }
      guard let length = file.bigEndian(position, bytes: 2), length >= 2,
        position + length <= file.count
      else { throw .malformedImage("a JPEG with a segment that passes its end") }
      if 0xC0...0xCF ~= marker, ![0xC4, 0xC8, 0xCC].contains(marker), size == nil {
        guard length >= 8, let height = file.bigEndian(position + 3, bytes: 2),
          let width = file.bigEndian(position + 5, bytes: 2)
        else { throw .malformedImage("a JPEG whose frame header is too short") }
        size = (width, height)
      } else if marker == 0xE1 {
        let data = (position + 2)..<(position + length)
        if exif == nil, data.count >= 6, file.has("Exif\0\0".utf8, at: data.lowerBound) {
          exif = ImageOrientation.exif(file, data.dropFirst(6))
        } else if xmp == nil, file.has("http://ns.adobe.com/xap/".utf8, at: data.lowerBound) {
          xmp = ImageOrientation.xmp(file, data)
        }
      }
      position += length
    }
    guard let size else { throw .malformedImage("a JPEG without a frame header") }
    return ImageHeader(
      format: .jpeg, width: size.width, height: size.height, orientation: exif ?? xmp ?? 1)
  }

  /// The size of the logical screen.
  static func gif(_ file: ByteReader) throws(EngineError) -> ImageHeader {
    guard let width = file.littleEndian(6, bytes: 2), let height = file.littleEndian(8, bytes: 2)
    else { throw .malformedImage("a GIF without its header") }
    return ImageHeader(format: .gif, width: width, height: height)
  }

  /// RIFF chunks of (name, length, data, padding): lossy, lossless, or extended with a canvas.
  static func webp(_ file: ByteReader) throws(EngineError) -> ImageHeader {
    let cut = EngineError.malformedImage("a WebP whose header is cut short")
    if file.has("VP8X".utf8, at: 12) {
      guard let flags = file.byte(20), let width = file.littleEndian(24, bytes: 3),
        let height = file.littleEndian(27, bytes: 3)
      else { throw cut }
      let orientation = flags & 0x0C == 0 ? 1 : webpOrientation(file)
      return ImageHeader(
        format: .webp, width: width + 1, height: height + 1, orientation: orientation)
    }
    if file.has("VP8L".utf8, at: 12) {
      guard file.byte(20) == 0x2F, let bits = file.littleEndian(21, bytes: 4) else { throw cut }
      return ImageHeader(
        format: .webp, width: bits & 0x3FFF + 1, height: bits >> 14 & 0x3FFF + 1)
    }
    guard file.has("VP8 ".utf8, at: 12), file.has([0x9D, 0x01, 0x2A], at: 23),
      let width = file.littleEndian(26, bytes: 2), let height = file.littleEndian(28, bytes: 2)
    else { throw cut }
    return ImageHeader(format: .webp, width: width & 0x3FFF, height: height & 0x3FFF)
  }

  private static func webpOrientation(_ file: ByteReader) -> Int {
    var exif: Int?
    var xmp: Int?
    var position = 12
    for _ in 0..<Limits.partsMax where exif == nil {
      guard let length = file.littleEndian(position + 4, bytes: 4) else { break }
      let data = (position + 8)..<min(position + 8 + length, file.count)
      if file.has("EXIF".utf8, at: position) {
        let isPrefixed = file.has("Exif\0\0".utf8, at: data.lowerBound) && data.count >= 6
        exif = ImageOrientation.exif(file, isPrefixed ? data.dropFirst(6) : data)
      } else if file.has("XMP ".utf8, at: position) {
        xmp = ImageOrientation.xmp(file, data)
      }
      position += 8 + length + length % 2
    }
    return exif ?? xmp ?? 1
  }
}

/// The orientation tag in EXIF, or else in XMP. Whatever is wrong with the metadata, the picture can
/// still be shown as it is stored: so do viewers, and so does the reference (Pillow).
enum ImageOrientation {
  /// - Parameter range: of the file, where the TIFF structure lies.
  /// - Returns: 1 to 8, nil where there is no valid tag.
  static func exif(_ file: ByteReader, _ range: Range<Int>) -> Int? {
    let isLittle = file.has("II".utf8, at: range.lowerBound)
    guard isLittle || file.has("MM".utf8, at: range.lowerBound) else { return nil }
    func number(_ offset: Int, bytes length: Int) -> Int? {
      let position = range.lowerBound + offset
      guard position + length <= range.upperBound else { return nil }
      return isLittle
        ? file.littleEndian(position, bytes: length) : file.bigEndian(position, bytes: length)
    }
    guard number(2, bytes: 2) == 42, let directory = number(4, bytes: 4),
      let entries = number(directory, bytes: 2)
    else { return nil }
    for entry in 0..<entries {
      let offset = directory + 2 + entry * 12
      guard let tag = number(offset, bytes: 2) else { return nil }
      if tag == 0x0112 {
        let value = number(offset + 2, bytes: 2) == 3 ? number(offset + 8, bytes: 2) : nil
        return value.flatMap { 1...8 ~= $0 ? $0 : nil }
      }
    }
    return nil
  }

  /// The digit behind `tiff:Orientation>` or `tiff:Orientation="`.
  static func xmp(_ file: ByteReader, _ range: Range<Int>) -> Int? {
    let name = Array("tiff:Orientation".utf8)
    guard let tag = file.bytes[range].firstRange(of: name),
      let mark = file.byte(tag.upperBound), mark == 0x3D || mark == 0x3E
    else { return nil }
    let digit = file.byte(tag.upperBound + (mark == 0x3D ? 2 : 1)).map { $0 - 0x30 }
    return digit.flatMap { 1...8 ~= $0 ? $0 : nil }
  }
}

/// The checksum of PNG's chunks.
enum CRC32 {
  static func checksum(_ bytes: some Sequence<UInt8>) -> Int {
    var checksum: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      checksum ^= UInt32(byte)
      for _ in 0..<8 {
        checksum = checksum & 1 == 1 ? checksum >> 1 ^ 0xEDB8_8320 : checksum >> 1
      }
    }
    return Int(~checksum)
  }
}
