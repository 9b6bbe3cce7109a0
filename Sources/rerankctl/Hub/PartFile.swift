import Foundation

/// A file that is being downloaded, as `NAME.DIGEST.part` beside where it goes: what an earlier try
/// left there is gone on with, and it gets its name when it is whole.
///
/// The digest in its name keeps it apart from the same file of another revision. One process at a
/// time holds it.
final class PartFile {
  private(set) var bytes: UInt64 = 0
  private let file: HubFile
  private let folder: URL
  private let path: String
  private let descriptor: Int32
  private var hasher: HubHasher

  private static let digestCharacters = 12
  private static let readBytes = 1 << 20

  /// - Throws: ``HubError`` `.file` when it cannot be had, or another process has it.
  init(for file: HubFile, in folder: URL) throws {
    self.file = file
    self.folder = folder
    path = folder.appending(path: Self.name(of: file)).path
    hasher = HubHasher(file)
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw Self.failure(path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw HubError(.file, "\(path) is being written by another pull: wait for that one")
    }
    try takeWhatIsThere()
  }

  deinit {
    close(descriptor)
  }

  /// - Returns: whether the file of that name is whole already.
  static func isThere(_ file: HubFile, in folder: URL) throws -> Bool {
    let path = folder.appending(path: file.name).path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return false }
      throw failure(path)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, UInt64(status.st_size) == file.bytes else {
      return false
    }
    var hasher = HubHasher(file)
    let read = try feed(&hasher, from: descriptor, path)
    return read == file.bytes && hasher.hexadecimal == file.digest.hexadecimal
  }

  /// - Throws: ``HubError`` `.full` where no room is left, `.corrupt` for more than the file has.
  func append(_ chunk: some ContiguousBytes & DataProtocol) throws {
    guard bytes + UInt64(chunk.count) <= file.bytes else {
      throw HubError(
        .corrupt, "\(file.name) goes on after the \(file.bytes) bytes that the hub lists")
    }
    try chunk.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count {
        let count = write(
          descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw Self.failure(path) }
        written += count
      }
    }
    hasher.update(chunk)
    bytes += UInt64(chunk.count)
  }

  /// Begins with the first byte again.
  func restart() throws {
    guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
      throw Self.failure(path)
    }
    hasher = HubHasher(file)
    bytes = 0
  }

  /// Whether what is there is the file; where it is not, it is gone afterwards.
  func isSound() throws -> Bool {
    if bytes == file.bytes, hasher.hexadecimal == file.digest.hexadecimal { return true }
    try restart()
    return false
  }

  /// Gives the whole file its name, once it is on the disk.
  func finish() throws {
    guard fsync(descriptor) == 0 else { throw Self.failure(path) }
    let name = folder.appending(path: file.name).path
    guard rename(path, name) == 0 else { throw Self.failure(name) }
    removeOtherParts()
  }

  private static func name(of file: HubFile) -> String {
    "\(file.name).\(file.digest.hexadecimal.prefix(digestCharacters)).part"
  }

  private func takeWhatIsThere() throws {
    bytes = try Self.feed(&hasher, from: descriptor, path)
    if bytes > file.bytes { try restart() }
  }

  /// Of the same file in other revisions, which nobody will go on with.
  private func removeOtherParts() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    for name in names where name.hasPrefix(file.name + ".") && name.hasSuffix(".part") {
      let digest = name.dropFirst(file.name.count + 1).dropLast(".part".count)
      guard digest.count == Self.digestCharacters, digest.allSatisfy(\.isHexDigit) else { continue }
      try? FileManager.default.removeItem(at: folder.appending(path: name))
    }
  }

  private static func feed(
    _ hasher: inout HubHasher, from descriptor: Int32, _ path: String
  ) throws -> UInt64 {
    var buffer = [UInt8](repeating: 0, count: readBytes)
    var total: UInt64 = 0
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(path) }
      guard count > 0 else { return total }
      hasher.update(buffer[..<count])
      total += UInt64(count)
    }
  }

  static func failure(_ path: String) -> HubError {
    let reason = errno
    if reason == ENOSPC || reason == EDQUOT {
      return HubError(
        .full,
        "no room is left for \(path): free some, and the same command goes on where it stopped")
    }
    return HubError(
      .file, "\(path): \(String(cString: strerror(reason))); may you write there? --to says where")
  }
}
