import Foundation
import Glibc

/// The folder in which every peer keeps its data: one disk for all, removed at the end.
struct DataFolder: Sendable {
  let url: URL
  /// Type and device as the kernel mounted them: "ext4 on /dev/vda".
  let fileSystem: String

  private static let memoryFileSystems: Set<String> = ["tmpfs", "ramfs"]

  /// Makes the folder below one that exists.
  ///
  /// - Throws: ``BenchmarkError`` where the files would live in memory, since nothing would be
  ///   durable.
  init(below parent: String) throws {
    let resolved = URL(filePath: parent).resolvingSymlinksInPath()
    let (type, device) = try Self.mount(of: resolved.path)
    guard !Self.memoryFileSystems.contains(type) else {
      throw BenchmarkError(
        "\(parent) is on \(type), where a sync means nothing: set TMPDIR to a folder on a disk")
    }
    fileSystem = "\(type) on \(device)"
    url = resolved.appending(path: "queue-bench-\(getpid())", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  func path(_ name: String) -> String { url.appending(path: name).path }

  func folder(_ name: String) throws -> String {
    let folder = url.appending(path: name, directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder.path
  }

  func remove() {
    try? FileManager.default.removeItem(at: url)
  }

  /// The line of mountinfo with the longest mount point above the path; the last of equals, which
  /// hides the others.
  private static func mount(of path: String) throws -> (type: String, device: String) {
    let table = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
    var best: (length: Int, type: String, device: String)?
    for line in table.split(separator: "\n") {
      let halves = line.components(separatedBy: " - ")
      guard halves.count == 2 else { continue }
      let left = halves[0].split(separator: " ")
      let right = halves[1].split(separator: " ")
      guard left.count > 4, right.count > 1 else { continue }
      let point = String(left[4])
      guard point == "/" || path == point || path.hasPrefix(point + "/") else { continue }
      if point.count >= best?.length ?? 0 {
        best = (point.count, String(right[0]), String(right[1]))
      }
    }
    guard let best else { throw BenchmarkError("no mount found for \(path)") }
    return (best.type, best.device)
  }
}
