internal import Glibc

/// A small text file on which it depends who may come in: a secret, or a list of who may.
///
/// One rule holds for all of them, CURVE keys, bearer tokens and allow-lists, and is looked at with
/// every reading, on the file that is read (links, as container platforms mount secrets, are
/// followed):
///
/// - Nobody but its owner may write it.
/// - A secret is never readable by everybody. That its group may read it is refused when the file is
///   this user's own, who can mend that; a file that belongs to somebody else was put there by a
///   service manager, which lets a process in by its group (Kubernetes' `fsGroup`, mode 0440) or by
///   an access-control entry (systemd's `LoadCredential`, shown as the group's bits).
public struct GuardedFile: Sendable {
  public enum Kind: Sendable {
    case secret
    /// Everybody may read it.
    case allowList
  }

  public let path: String
  public let kind: Kind
  public let bytesMax: Int

  public init(_ path: String, _ kind: Kind, bytesMax: Int) {
    self.path = path
    self.kind = kind
    self.bytesMax = bytesMax
  }

  /// Tells one content of the file from another, without reading it.
  public struct Version: Sendable, Equatable {
    private var device: UInt64
    private var inode: UInt64
    private var size: Int
    private var changedSeconds: Int
    private var changedNanoseconds: Int

    fileprivate init(_ status: stat) {
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
      size = Int(status.st_size)
      // Of the inode: a change of the modification time alone can be undone, this cannot.
      changedSeconds = status.st_ctim.tv_sec
      changedNanoseconds = status.st_ctim.tv_nsec
    }
  }

  public var exists: Bool {
    var status = stat()
    return stat(path, &status) == 0
  }

  /// - Throws: `GuardedFileError` also for a file that is open to others, or too large.
  public func version() throws(GuardedFileError) -> Version {
    var status = stat()
    guard stat(path, &status) == 0 else { throw unreadable(errno) }
    try check(status)
    return Version(status)
  }

  /// - Throws: `GuardedFileError` also for a file that is open to others, too large or no UTF-8.
  public func read() throws(GuardedFileError) -> (version: Version, text: String) {
    // A pipe in its place must not hold the process up.
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw unreadable(errno) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw unreadable(errno) }
    try check(status)
    // It may have grown since.
    var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(file, buffer.baseAddress?.advanced(by: count), buffer.count - count)
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw unreadable(errno) }
      if got == 0 { break }
      count += got
    }
    guard count <= bytesMax else { throw tooLarge }
    guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
      throw GuardedFileError(.content, "\(path) is no UTF-8 text")
    }
    return (Version(status), text)
  }

  private func check(_ status: stat) throws(GuardedFileError) {
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw GuardedFileError(.unreadable, "\(path) is no regular file")
    }
    let mode = status.st_mode & 0o777
    if let problem = kind.problem(mode: mode, owner: status.st_uid, user: geteuid()) {
      throw GuardedFileError(
        .permissions,
        "\(path) \(problem.text) (mode \(String(mode, radix: 8))): \(problem.mend) \(path)")
    }
    guard status.st_size <= bytesMax else { throw tooLarge }
  }

  private func unreadable(_ code: Int32) -> GuardedFileError {
    GuardedFileError(.unreadable, "\(path) cannot be read: \(errorText(code))")
  }

  private var tooLarge: GuardedFileError {
    GuardedFileError(.content, "\(path) has more than the \(bytesMax) bytes that it may have")
  }
}

extension GuardedFile.Kind {
  /// What is wrong with a file of this mode and owner for a process of this user, and the command
  /// that mends it; nil: nothing.
  func problem(mode: mode_t, owner: uid_t, user: uid_t) -> (text: String, mend: String)? {
    if self == .secret, owner == user, mode & 0o077 != 0 {
      return ("is a secret, and open to others than its owner", "chmod 600")
    }
    if mode & 0o022 != 0 { return ("can be written by others than its owner", "chmod go-w") }
    if self == .secret, mode & 0o007 != 0 {
      return ("is a secret, and open to everybody", "chmod o=")
    }
    return nil
  }
}

func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }
