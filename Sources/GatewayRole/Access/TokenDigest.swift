import Crypto

/// The SHA-256 of a bearer token: what is kept of it, and compared.
///
/// A fast hash is enough here since tokens are made by ``AccessToken/makeSecret()``: nobody can
/// guess 256 random bits.
struct TokenDigest: Sendable {
  private let bytes: [UInt8]

  init(of token: some StringProtocol) {
    bytes = Array(SHA256.hash(data: Array(token.utf8)))
  }

  /// 64 hexadecimal digits; nil for anything else.
  init?(hexadecimal text: some StringProtocol) {
    let digits = text.compactMap(\.hexDigitValue)
    guard digits.count == 2 * SHA256.byteCount, digits.count == text.utf8.count else { return nil }
    bytes = stride(from: 0, to: digits.count, by: 2).map {
      UInt8(digits[$0] << 4 | digits[$0 + 1])
    }
  }

  var hexadecimal: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Takes the same time wherever the first difference is.
  func matches(_ other: TokenDigest) -> Bool {
    var difference: UInt8 = 0
    for index in bytes.indices { difference |= bytes[index] ^ other.bytes[index] }
    return difference == 0
  }
}
