public import GuardedFiles

/// A file with an allow-list, which the queue reads and `rerankctl keys` edits.
public struct AuthorizedKeysFile: Sendable {
  public let path: String
  public let keysMax: Int
  private let file: GuardedFile

  public static let bytesMax = 4 << 20
  public static let keysMaxDefault = 10_000

  public init(_ path: String, keysMax: Int = keysMaxDefault) {
    self.path = path
    self.keysMax = keysMax
    file = GuardedFile(path, .allowList, bytesMax: Self.bytesMax)
  }

  /// - Throws: `AccessKeysError` for a file that is not there, may be written by others, or is too
  ///   large.
  public func version() throws(AccessKeysError) -> GuardedFile.Version {
    try reporting { () throws(GuardedFileError) in try file.version() }
  }

  /// - Throws: `AccessKeysError` that names the file, and the line of what is wrong in it.
  public func read() throws(AccessKeysError) -> (version: GuardedFile.Version, keys: AuthorizedKeys)
  {
    let (version, text) = try reporting { () throws(GuardedFileError) in try file.read() }
    return (version, try parsed(text))
  }

  /// Adds a key at the end. The file is made when it is not there.
  /// - Throws: `AccessKeysError` also for a name or key that is there already.
  public func authorize(_ key: AuthorizedKey) throws(AccessKeysError) {
    try edit { text throws(AccessKeysError) in
      let text = text ?? "# NAME ROLE PUBLIC-KEY [tenant=NAME,…|*]\n"
      var keys = try parsed(text)
      guard keys.keys.count < keysMax else {
        throw AccessKeysError(.conflict, "\(path) has \(keysMax) keys already")
      }
      try keys.add(key)
      return text + (text.isEmpty || text.hasSuffix("\n") ? "" : "\n") + key.line + "\n"
    }
  }

  /// Takes keys out, by their names.
  /// - Parameter dryRun: only says which.
  /// - Returns: the keys that were there.
  /// - Throws: `AccessKeysError` when one of the names is not there; then nothing is changed.
  @discardableResult
  public func revoke(
    _ names: Set<String>, dryRun: Bool = false
  ) throws(AccessKeysError) -> [AuthorizedKey] {
    var revoked: [AuthorizedKey] = []
    try edit { text throws(AccessKeysError) in
      guard let text else {
        throw AccessKeysError(.file, "there is no list of authorized keys \(path)")
      }
      revoked = try parsed(text).keys.filter { names.contains($0.name) }
      if let unknown = names.subtracting(revoked.map(\.name)).min() {
        throw AccessKeysError(.conflict, "\(path) has no key \"\(unknown)\"")
      }
      if dryRun { return nil }
      return text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
        guard let name = line.split(whereSeparator: \.isWhitespace).first else { return true }
        return !names.contains(String(name))
      }.joined(separator: "\n")
    }
    return revoked
  }

  /// Edits wait for one another.
  /// - Parameter change: gets nil for no file, and returns nil to leave it as it is.
  private func edit(
    _ change: (String?) throws(AccessKeysError) -> String?
  ) throws(AccessKeysError) {
    let lock = try reporting { () throws(GuardedFileError) in try file.lock() }
    defer { lock.release() }
    let text = try reporting { () throws(GuardedFileError) in
      file.exists ? try file.read().text : nil
    }
    guard let changed = try change(text) else { return }
    try reporting { () throws(GuardedFileError) in try file.replace(with: changed, under: lock) }
  }

  private func parsed(_ text: String) throws(AccessKeysError) -> AuthorizedKeys {
    do throws(AccessKeysError) {
      return try AuthorizedKeys(text: text, keysMax: keysMax)
    } catch {
      throw AccessKeysError(error.code, "\(path): \(error.message)")
    }
  }

  private func reporting<Value>(
    _ body: () throws(GuardedFileError) -> Value
  ) throws(AccessKeysError) -> Value {
    do throws(GuardedFileError) {
      return try body()
    } catch {
      throw AccessKeysError("the list of authorized keys", error)
    }
  }
}
