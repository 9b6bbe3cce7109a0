public import Foundation

/// How much memory the process may have before the system ends something: what the machine has, or
/// less where a control group (version 2) says so, its own or one above it.
public struct MemoryLimit {
  private let root: URL

  /// - Parameter root: of the file system.
  public init(root: URL = URL(filePath: "/")) {
    self.root = root
  }

  /// nil where neither can be read.
  public var bytes: Double? { ([machineBytes] + groupBytes).compactMap { $0 }.min() }

  private func text(_ path: String) -> String? {
    try? String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  private var machineBytes: Double? {
    text("proc/meminfo").flatMap { $0.firstMatch(of: /MemTotal: +([0-9]+) kB/) }
      .flatMap { Double($0.output.1) }.map { $0 * 1_024 }
  }

  /// Of the process's group and of those above it; "max" is no number.
  private var groupBytes: [Double?] {
    guard let group = text("proc/self/cgroup")?.firstMatch(of: /(?m)^0::\/(.*)$/) else { return [] }
    let names = group.output.1.split(separator: "/")
    return (0...names.count).map { depth in
      let folder = (["sys/fs/cgroup"] + names.prefix(depth)).joined(separator: "/")
      return text(folder + "/memory.max").flatMap {
        Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
      }
    }
  }
}
