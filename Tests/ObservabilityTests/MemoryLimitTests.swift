import Foundation
import TestSupport
import Testing

@testable import Observability

@Suite struct MemoryLimitTests {
  private func limit(_ files: [String: String]) throws -> Double? {
    let root = try TemporaryFolder("memory")
    for (path, text) in files {
      let file = root.url.appending(path: path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    return MemoryLimit(root: root.url).bytes
  }

  private let machine = "MemTotal:        1000 kB\nMemFree:          500 kB\n"

  @Test func withoutControlGroupsTheMachineIsTheLimit() throws {
    #expect(try limit(["proc/meminfo": machine]) == 1_024_000)
    #expect(try limit(["proc/meminfo": machine, "proc/self/cgroup": "4:memory:/a\n"]) == 1_024_000)
  }

  @Test func leastOfTheGroupsAboveIsTheLimit() throws {
    let files = [
      "proc/meminfo": machine, "proc/self/cgroup": "0::/system.slice/rerankd.service\n",
      "sys/fs/cgroup/system.slice/memory.max": "5000\n",
      "sys/fs/cgroup/system.slice/rerankd.service/memory.max": "max\n",
    ]
    #expect(try limit(files) == 5_000)
  }

  @Test func containersSeeTheirGroupAsTheRoot() throws {
    let files = [
      "proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "7000\n",
    ]
    #expect(try limit(files) == 7_000)
  }

  @Test func largerGroupThanTheMachineIsNone() throws {
    let files = [
      "proc/meminfo": machine, "proc/self/cgroup": "0::/\n",
      "sys/fs/cgroup/memory.max": "9000000000000\n",
    ]
    #expect(try limit(files) == 1_024_000)
  }

  @Test func nothingReadableIsNoLimit() throws {
    #expect(try limit([:]) == nil)
  }

  @Test func thisProcessHasOne() {
    #expect((MemoryLimit().bytes ?? 0) > 1e6)
  }
}
