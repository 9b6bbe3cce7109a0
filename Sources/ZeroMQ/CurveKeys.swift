internal import CZeroMQ
internal import Glibc

/// A public key of CURVE: 32 bytes, written as 40 characters of Z85.
public struct CurvePublicKey: Hashable, Sendable, CustomStringConvertible {
  public let z85: String

  /// - Throws: `ZeroMQError` when the text is no Z85 of 32 bytes.
  public init(z85: String) throws(ZeroMQError) {
    self.z85 = try validatedKey(z85, "public")
  }

  /// From the 32 bytes as they stand on the wire; nil for another number.
  public init?(bytes: [UInt8]) {
    var text = [CChar](repeating: 0, count: keyCharacters + 1)
    guard bytes.count == 32, zmq_z85_encode(&text, bytes, bytes.count) != nil else { return nil }
    z85 = decoded(text)
  }

  public var description: String { z85 }
}

/// A secret key of CURVE. Its text is asked for by name and never shown by accident.
public struct CurveSecretKey: Sendable, Equatable, CustomStringConvertible,
  CustomDebugStringConvertible, CustomReflectable
{
  public let z85: String

  /// - Throws: `ZeroMQError`, without the text, when it is no Z85 of 32 bytes.
  public init(z85: String) throws(ZeroMQError) {
    self.z85 = try validatedKey(z85, "secret")
  }

  public var description: String { "CurveSecretKey(…)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }

  /// Takes the same time wherever the keys differ.
  public static func == (left: CurveSecretKey, right: CurveSecretKey) -> Bool {
    zip(left.z85.utf8, right.z85.utf8).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }
}

public struct CurveKeyPair: Sendable, Equatable {
  public let publicKey: CurvePublicKey
  public let secretKey: CurveSecretKey

  /// The pair that a secret key belongs to.
  public init(secretKey: CurveSecretKey) throws(ZeroMQError) {
    var text = [CChar](repeating: 0, count: keyCharacters + 1)
    guard zmq_curve_public(&text, secretKey.z85) == 0 else {
      throw .last("derive a CURVE public key")
    }
    publicKey = try CurvePublicKey(z85: decoded(text))
    self.secretKey = secretKey
  }

  /// A new random pair.
  public static func generate() throws(ZeroMQError) -> CurveKeyPair {
    var publicText = [CChar](repeating: 0, count: keyCharacters + 1)
    var secretText = [CChar](repeating: 0, count: keyCharacters + 1)
    guard zmq_curve_keypair(&publicText, &secretText) == 0 else {
      throw .last("generate a CURVE key pair")
    }
    return try CurveKeyPair(secretKey: CurveSecretKey(z85: decoded(secretText)))
  }
}

private let keyCharacters = 40

private func decoded(_ text: [CChar]) -> String {
  String(decoding: text.prefix(keyCharacters).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

private func validatedKey(_ z85: String, _ kind: String) throws(ZeroMQError) -> String {
  var bytes = [UInt8](repeating: 0, count: 32)
  guard z85.utf8.count == keyCharacters, zmq_z85_decode(&bytes, z85) != nil else {
    throw ZeroMQError(
      code: EINVAL, message: "a CURVE \(kind) key is \(keyCharacters) characters of Z85")
  }
  return z85
}
