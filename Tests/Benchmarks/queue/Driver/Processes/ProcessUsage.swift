import Foundation
import Glibc

/// What a process has used so far, from /proc.
struct ProcessUsage: Sendable {
  var cpuSeconds: Double
  var residentBytes: Int
  /// Descriptors: files, sockets and whatever else.
  var openFiles: Int

  /// - Throws: ``BenchmarkError`` when the process is gone.
  static func read(_ processID: pid_t) throws -> ProcessUsage {
    let path = "/proc/\(processID)/stat"
    guard let line = try? String(contentsOfFile: path, encoding: .utf8),
      let nameEnd = line.lastIndex(of: ")")
    else { throw BenchmarkError("\(path) cannot be read: the process has ended") }
    // The fields after the name, which may hold spaces: state is the third of proc(5).
    let fields = line[line.index(after: nameEnd)...].split(separator: " ")
    func field(_ number: Int) -> Double { Double(fields[number - 3]) ?? 0 }
    guard fields.count > 21 else { throw BenchmarkError("\(path) has \(fields.count) fields") }
    let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd")
    guard let files else { throw BenchmarkError("/proc/\(processID)/fd cannot be read") }
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    return ProcessUsage(
      cpuSeconds: (field(14) + field(15)) / ticks,
      residentBytes: Int(field(24)) * Int(sysconf(Int32(_SC_PAGESIZE))), openFiles: files.count)
  }
}
