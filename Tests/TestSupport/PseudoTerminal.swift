import Foundation
import Glibc
import Synchronization

/// A terminal without a screen, of a size that can be changed, on which a ``ChildProcess`` runs.
public final class PseudoTerminal: Sendable {
  private let descriptor: Int32
  /// The program's side, open until the program has its own copies of it.
  private let side: Mutex<FileHandle?>

  /// Linux' requests for what POSIX calls unlockpt, and for the program's side: the C library hides
  /// the functions from Swift.
  private static let unlock: UInt = 0x4004_5431
  private static let openProgramSide: UInt = 0x5441

  public init(columns: Int, rows: Int) throws {
    descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    side = Mutex(nil)
    var isLocked: Int32 = 0
    guard descriptor >= 0, ioctl(descriptor, Self.unlock, &isLocked) == 0 else {
      throw SocketError(operation: "/dev/ptmx", code: errno)
    }
    resize(columns: columns, rows: rows)
    let program = ioctl(descriptor, Self.openProgramSide, O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard program >= 0 else { throw SocketError(operation: "/dev/pts", code: errno) }
    side.withLock { $0 = FileHandle(fileDescriptor: program, closeOnDealloc: true) }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// The program on it is told.
  public func resize(columns: Int, rows: Int) {
    var size = winsize()
    (size.ws_col, size.ws_row) = (UInt16(columns), UInt16(rows))
    _ = ioctl(descriptor, UInt(TIOCSWINSZ), &size)
  }

  /// Types a text: "\u{3}" is Ctrl-C.
  public func type(_ text: String) {
    _ = Array(text.utf8).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
  }

  /// Whether keys are shown and come line by line, as a shell leaves it.
  public var isCooked: Bool {
    var settings = termios()
    guard tcgetattr(descriptor, &settings) == 0 else { return false }
    let wanted = tcflag_t(ICANON | ECHO)
    return settings.c_lflag & wanted == wanted
  }

  func programSide() throws -> FileHandle {
    guard let handle = side.withLock({ $0 }) else {
      throw TimeoutError(description: "a program has run on this terminal already")
    }
    return handle
  }

  /// Leaves the program's side to the program, so that its end is this side's end of file.
  func handOver() throws -> FileHandle {
    // Whoever started the program still holds the handle: it has to be closed, not only let go of.
    try side.withLock { side in
      try side?.close()
      side = nil
    }
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw SocketError(operation: "dup", code: errno) }
    return FileHandle(fileDescriptor: copy, closeOnDealloc: true)
  }
}
