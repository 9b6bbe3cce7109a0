import Foundation
import Synchronization

/// The ledger's place in the file system: one process at a time, for its owner's eyes only.
///
/// The lock is `flock` on a file of its own, taken before SQLite touches anything, and kept until
/// the last connection is closed. It goes with the process however that ends.
final class LedgerFile: Sendable {
  let path: String
  private let lockDescriptor: Mutex<Int32?>

  /// Locks the ledger at `path` and makes its file if there is none.
  init(locking path: String) throws(LedgerError) {
    // Two names of one file must not give two locks.
    let resolved = URL(filePath: path).resolvingSymlinksInPath().path
    self.path = resolved
    lockDescriptor = Mutex(try Self.lock(resolved + ".lock"))
    do throws(LedgerError) {
      // SQLite gives the WAL and its index the mode that the file has.
      close(try Self.open(resolved))
      for name in [resolved, resolved + "-wal", resolved + "-shm", resolved + ".lock"]
      where access(name, F_OK) == 0 {
        guard chmod(name, 0o600) == 0 else {
          throw LedgerError(
            .permissions,
            "\(name) cannot be made private: \(Self.systemMessage()); it must "
              + "belong to the user that runs the queue")
        }
      }
    } catch {
      unlock()
      throw error
    }
  }

  /// - Throws: ``LedgerError`` `.permissions` when the volume did not keep the files private.
  func checkModes() throws(LedgerError) {
    for name in [path, path + "-wal", path + "-shm", path + ".lock"] {
      var status = stat()
      guard stat(name, &status) == 0 else {
        throw LedgerError(.io, "\(name) cannot be looked at: \(Self.systemMessage())")
      }
      guard status.st_mode & 0o077 == 0 else {
        throw LedgerError(
          .permissions,
          "\(name) has mode \(String(status.st_mode & 0o777, radix: 8)) although 600 was set; "
            + "put the ledger on a volume that keeps file modes")
      }
    }
  }

  var fileBytes: UInt64 { Self.size(path) }
  var walBytes: UInt64 { Self.size(path + "-wal") }

  /// What this user can still write to the file's volume; 0 when that cannot be found out.
  var freeBytes: UInt64 {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return 0 }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
  }

  func unlock() {
    lockDescriptor.withLock { descriptor in
      if let open = descriptor { close(open) }
      descriptor = nil
    }
  }

  /// - Returns: the descriptor that holds the lock until it is closed.
  static func lock(_ path: String) throws(LedgerError) -> Int32 {
    let descriptor = try open(path)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let reason = errno
      var buffer = [UInt8](repeating: 0, count: 32)
      let count = max(0, pread(descriptor, &buffer, buffer.count, 0))
      let holder = String(decoding: buffer[..<count], as: UTF8.self)
      close(descriptor)
      guard reason == EWOULDBLOCK else {
        throw LedgerError(.io, "\(path) cannot be locked: \(String(cString: strerror(reason)))")
      }
      throw LedgerError(
        .locked,
        "\(path) is held by process \(holder.isEmpty ? "(unknown)" : holder): stop that queue "
          + "first, or give this one another ledger")
    }
    let holder = Array(String(getpid()).utf8)
    guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, holder, holder.count, 0) > 0 else {
      let message = systemMessage()
      close(descriptor)
      throw LedgerError(.io, "\(path) cannot be written: \(message)")
    }
    return descriptor
  }

  private static func open(_ path: String) throws(LedgerError) -> Int32 {
    let descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw LedgerError(
        .permissions,
        "\(path) cannot be opened: \(systemMessage()); its folder must exist and "
          + "belong to the user that runs the queue")
    }
    return descriptor
  }

  static func size(_ path: String) -> UInt64 {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(status.st_size) : 0
  }

  private static func systemMessage() -> String { String(cString: strerror(errno)) }
}
