import Foundation
import TestSupport

/// A file system of a few megabytes in a folder, which can be filled up, and is taken away with its
/// last reference.
final class SmallDisk: Sendable {
  let path: String

  /// Whether this user may mount one.
  static let isToBeHad: Bool = {
    guard let folder = try? TemporaryFolder("probe") else { return false }
    return (try? SmallDisk(folder.path("disk"), megabytes: 1)) != nil
  }()

  /// - Parameter path: of a folder that is made.
  init(_ path: String, megabytes: Int) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Self.run(["mount", "-t", "tmpfs", "-o", "size=\(megabytes)m", "tmpfs", path])
  }

  deinit {
    try? Self.run(["umount", "--lazy", path])
  }

  var freeBytes: Int {
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: path)
    return (attributes?[.systemFreeSize] as? NSNumber)?.intValue ?? 0
  }

  /// Leaves nothing free until ``empty()``.
  func fill() throws {
    guard FileManager.default.createFile(atPath: filler, contents: nil) else {
      throw TimeoutError(description: "\(filler) cannot be made")
    }
    let file = try FileHandle(forWritingTo: URL(filePath: filler))
    defer { try? file.close() }
    for size in [1 << 20, 1 << 12] {
      let block = Data(repeating: 1, count: size)
      while (try? file.write(contentsOf: block)) != nil {}
    }
  }

  func empty() throws {
    try FileManager.default.removeItem(atPath: filler)
  }

  func setReadOnly(_ isReadOnly: Bool) throws {
    try Self.run(["mount", "-o", "remount,\(isReadOnly ? "ro" : "rw")", path])
  }

  private var filler: String { path + "/filler" }

  private static func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw TimeoutError(description: "\(arguments.joined(separator: " ")) failed")
    }
  }
}
