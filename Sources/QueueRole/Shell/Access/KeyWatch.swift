internal import AccessKeys
internal import GuardedFiles
internal import Logging

/// The list of authorized keys, read again when its file changes.
///
/// A change that cannot be used is logged, once, and the keys before it go on to hold.
struct KeyWatch {
  private let file: AuthorizedKeysFile
  private var version: GuardedFile.Version?

  init(_ file: AuthorizedKeysFile) {
    self.file = file
  }

  /// - Throws: `AccessKeysError` for a list that cannot be used.
  mutating func read() throws(AccessKeysError) -> AuthorizedKeys {
    let (version, keys) = try file.read()
    self.version = version
    return keys
  }

  /// - Parameter always: also when the file looks as before.
  /// - Returns: nil for nothing new.
  mutating func change(always: Bool, _ logger: Logger) -> AuthorizedKeys? {
    let now: GuardedFile.Version
    do throws(AccessKeysError) {
      now = try file.version()
    } catch {
      if version != nil { report(error, logger) }
      version = nil
      return nil
    }
    guard always || now != version else { return nil }
    version = now
    do throws(AccessKeysError) {
      let (read, keys) = try file.read()
      version = read
      logger.notice(
        "read the authorized keys anew",
        metadata: ["file": "\(file.path)", "keys": "\(keys.keys.count)"])
      return keys
    } catch {
      report(error, logger)
      return nil
    }
  }

  private func report(_ error: AccessKeysError, _ logger: Logger) {
    logger.error("the authorized keys known before go on to hold: \(error)")
  }
}
