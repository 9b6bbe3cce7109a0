/// The characters that stand for bytes in byte-level vocabularies: GPT-2's `bytes_to_unicode`.
enum ByteAlphabet {
  private static let characters: [UInt32] = {
    var spare: UInt32 = 0x100
    return (UInt32(0)..<0x100).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        defer { spare += 1 }
        return spare
      }
    }
  }()

  /// By character, from 0 to 0x143: its byte, or -1.
  private static let bytes: [Int16] = {
    var bytes = Array(repeating: Int16(-1), count: 0x144)
    for (byte, character) in characters.enumerated() { bytes[Int(character)] = Int16(byte) }
    return bytes
  }()

  /// Appends the bytes that a token's characters stand for.
  ///
  /// - Returns: whether all of them stand for one; otherwise nothing is appended.
  static func append(
    _ token: UnsafeBufferPointer<UInt8>, to result: inout [UInt8]
  ) -> Bool {
    let start = result.count
    var reader = ScalarReader(token, 0..<token.count)
    while let scalar = reader.next() {
      guard scalar < 0x144, bytes[Int(scalar)] >= 0 else {
        result.removeSubrange(start...)
        return false
      }
      result.append(UInt8(bytes[Int(scalar)]))
    }
    return true
  }
}
