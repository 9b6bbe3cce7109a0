internal import ZeroMQ

/// Who may come in at a queue: an allow-list of public keys.
///
/// This module is about the files of keys: the allow-list (``AuthorizedKeysFile``), which the queue
/// reads and `rerankctl keys` edits, and secret keys (``SecretKeyFile``), which every process that
/// speaks CURVE has one of. Files that others could read or write, as the case may be, are refused:
/// `GuardedFile` has the rule.
public struct AuthorizedKeys: Sendable, Equatable {
  /// As in the file. Names and keys are unique.
  public private(set) var keys: [AuthorizedKey] = []
  private var places: [String: Int] = [:]

  /// Nobody.
  public init() {}

  /// The key's entry. A public key is no secret, so how long the search takes tells nobody anything.
  public subscript(publicKey: String) -> AuthorizedKey? { places[publicKey].map { keys[$0] } }

  /// - Throws: `AccessKeysError` for a name or key that is there already.
  public mutating func add(_ key: AuthorizedKey) throws(AccessKeysError) {
    guard !keys.contains(where: { $0.name == key.name }) else {
      throw AccessKeysError(.conflict, "there is a key \"\(key.name)\" already")
    }
    if let other = self[key.publicKey.z85] {
      throw AccessKeysError(.conflict, "this key is there already, as \"\(other.name)\"")
    }
    places[key.publicKey.z85] = keys.count
    keys.append(key)
  }

  /// - Throws: `AccessKeysError` that names the line.
  public init(text: String, keysMax: Int) throws(AccessKeysError) {
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      do throws(AccessKeysError) {
        guard let key = try AuthorizedKey(line: line) else { continue }
        guard keys.count < keysMax else {
          throw AccessKeysError(.content, "there are more than \(keysMax) keys")
        }
        try add(key)
      } catch {
        throw AccessKeysError(error.code, "line \(index + 1): \(error.message)")
      }
    }
  }
}
