public import Foundation
import Glibc

/// A folder of a test's own, removed with everything in it when the last reference goes.
public final class TemporaryFolder: Sendable {
  public let url: URL

  public init(_ purpose: String = "test") throws {
    url = FileManager.default.temporaryDirectory.appending(
      path: "rerankd-\(purpose)-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }

  /// The path of a file in the folder, existing or not.
  public func path(_ name: String) -> String {
    url.appending(path: name).path
  }

  /// Writes a file into the folder and returns its path.
  @discardableResult
  public func write(_ content: String, to name: String) throws -> String {
    let path = path(name)
    try content.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  /// Writes or replaces a file of mode 0600, which is never seen with another.
  @discardableResult
  public func writeSecret(_ content: String, to name: String) throws -> String {
    let draft = try write(content, to: name + ".draft")
    guard chmod(draft, 0o600) == 0, rename(draft, path(name)) == 0 else {
      throw CocoaError(.fileWriteUnknown)
    }
    return path(name)
  }
}
