internal import GuardedFiles
public import ZeroMQ

/// A file with one secret key: 40 characters of Z85.
public enum SecretKeyFile {
  /// - Throws: `AccessKeysError` naming the file, never its contents.
  public static func read(_ path: String) throws(AccessKeysError) -> CurveKeyPair {
    let text: String
    do throws(GuardedFileError) {
      text = try file(path).read().text
    } catch {
      throw AccessKeysError("the secret key file", error)
    }
    do {
      let words = text.split(whereSeparator: \.isWhitespace)
      let word = words.count == 1 ? String(words[0]) : ""
      return try CurveKeyPair(secretKey: CurveSecretKey(z85: word))
    } catch {
      throw AccessKeysError(
        .content, "the secret key file \(path) holds no secret key", underlying: error)
    }
  }

  /// Writes a new file of mode 0600.
  /// - Throws: `AccessKeysError`, also when the file exists.
  public static func write(_ key: CurveSecretKey, to path: String) throws(AccessKeysError) {
    do throws(GuardedFileError) {
      try file(path).create(key.z85 + "\n")
    } catch {
      throw AccessKeysError("the secret key file", error)
    }
  }

  /// Makes a key for each of some new files.
  /// - Returns: their public keys.
  /// - Throws: `AccessKeysError`, also when one of the files exists; then none is written.
  public static func generate(_ paths: [String]) throws(AccessKeysError) -> [CurvePublicKey] {
    if let path = paths.first(where: { file($0).exists }) {
      throw AccessKeysError(.conflict, "the secret key file \(path) exists already")
    }
    guard Set(paths).count == paths.count else {
      throw AccessKeysError(.conflict, "one file cannot hold two secret keys")
    }
    var keys: [CurvePublicKey] = []
    for path in paths {
      let pair = try newPair()
      try write(pair.secretKey, to: path)
      keys.append(pair.publicKey)
    }
    return keys
  }

  fileprivate static func newPair() throws(AccessKeysError) -> CurveKeyPair {
    do {
      return try CurveKeyPair.generate()
    } catch {
      throw AccessKeysError(.content, "no key can be made: \(error)", underlying: error)
    }
  }

  private static func file(_ path: String) -> GuardedFile {
    GuardedFile(path, .secret, bytesMax: 4_096)
  }
}

extension SocketOptions.Security {
  /// How a client speaks to queues that have one public key.
  /// - Parameters:
  ///   - queuePublicKey: 40 characters of Z85; nil: without CURVE.
  ///   - secretKeyFile: the client's own key; nil makes a fresh one, for a queue without a list of
  ///     authorized keys.
  /// - Throws: `AccessKeysError`.
  public static func client(
    queuePublicKey: String?, secretKeyFile: String?
  ) throws(AccessKeysError) -> SocketOptions.Security {
    guard let queuePublicKey else {
      guard secretKeyFile == nil else {
        throw AccessKeysError(
          .content, "a secret key is of use with the queue's public key alone: name that, too")
      }
      return .none
    }
    do {
      let serverKey = try CurvePublicKey(z85: queuePublicKey)
      let keys =
        if let secretKeyFile { try SecretKeyFile.read(secretKeyFile) } else {
          try SecretKeyFile.newPair()
        }
      return .curveClient(keys, serverKey: serverKey)
    } catch let error as AccessKeysError {
      throw error
    } catch {
      throw AccessKeysError(.content, "\(error)", underlying: error)
    }
  }
}
