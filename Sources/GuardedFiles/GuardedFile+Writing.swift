internal import Glibc

/// Writing files that are never seen half written, nor by others for a moment.
extension GuardedFile {
  /// Makes the file, with mode 0600 for a secret and 0644 for a list, and syncs it.
  /// - Throws: `GuardedFileError`, also when it is there: a key that is in use is not lost by
  ///   accident.
  public func create(_ text: String) throws(GuardedFileError) {
    try write(text, to: path, mode: kind == .secret ? 0o600 : 0o644, owner: nil)
  }

  /// Keeps others that edit files of this folder waiting. It is the folder's, since the file itself
  /// is replaced.
  public struct Lock: Sendable {
    fileprivate let folder: Int32

    public func release() { close(folder) }
  }

  /// To be released.
  public func lock() throws(GuardedFileError) -> Lock {
    let place = try resolved()
    let folder = place.lastIndex(of: "/").map { String(place[...$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw GuardedFileError(
        .unwritable, "the folder of \(path) cannot be opened: \(errorText(errno))")
    }
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno != EINTR else { continue }
      let reason = errorText(errno)
      close(descriptor)
      throw GuardedFileError(.unwritable, "the folder of \(path) cannot be locked: \(reason)")
    }
    return Lock(folder: descriptor)
  }

  /// Replaces the file as a whole, with its mode and owner: whoever reads sees the old or the new
  /// one. A link in its place stays a link. Without a file, as ``create(_:)``.
  public func replace(with text: String, under lock: Lock) throws(GuardedFileError) {
    let place = try resolved()
    var status = stat()
    let exists = stat(place, &status) == 0
    let draft = "\(place).new"
    // Of somebody who ended half way: the lock says that nobody is at it.
    unlink(draft)
    try write(
      text, to: draft, mode: exists ? status.st_mode & 0o777 : kind == .secret ? 0o600 : 0o644,
      owner: exists ? (status.st_uid, status.st_gid) : nil)
    guard rename(draft, place) == 0, fsync(lock.folder) == 0 else {
      let reason = errorText(errno)
      unlink(draft)
      throw GuardedFileError(.unwritable, "\(path) cannot be replaced: \(reason)")
    }
  }

  /// The file behind the links, or the path itself where there is none yet.
  private func resolved() throws(GuardedFileError) -> String {
    guard let found = realpath(path, nil) else {
      guard errno == ENOENT else {
        throw GuardedFileError(.unreadable, "\(path): \(errorText(errno))")
      }
      return path
    }
    defer { free(found) }
    return String(cString: found)
  }

  private func write(
    _ text: String, to path: String, mode: mode_t, owner: (user: uid_t, group: gid_t)?
  ) throws(GuardedFileError) {
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else {
      let code = errno
      throw code == EEXIST
        ? GuardedFileError(.exists, "\(path) is there already")
        : GuardedFileError(.unwritable, "\(path) cannot be made: \(errorText(code))")
    }
    defer { close(file) }
    // Only root can give a file away; whoever else may edit here keeps it as his own. Before the
    // mode, of which a change of owner takes bits.
    if let owner { _ = fchown(file, owner.user, owner.group) }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes = bytes.dropFirst(count)
    }
    guard bytes.isEmpty, fchmod(file, mode) == 0, fsync(file) == 0 else {
      let reason = errorText(errno)
      unlink(path)
      throw GuardedFileError(.unwritable, "\(path) cannot be written: \(reason)")
    }
  }
}
