import Foundation
import Glibc

/// What Prometheus' own libraries tell of every process, read from Linux's /proc when it is asked
/// for. What cannot be read is left out.
struct ProcessFigures {
  static let catalogue: [MetricDescription] = [
    resident, virtual, memoryMax, cpu, openFiles, filesMax, startTime,
  ]

  private static let resident = MetricDescription.gauge(
    "process_resident_memory_bytes", "Resident memory size.")
  private static let virtual = MetricDescription.gauge(
    "process_virtual_memory_bytes", "Virtual memory size.")
  private static let memoryMax = MetricDescription.gauge(
    "rerankd_memory_limit_bytes",
    "Memory that the process and those beside it may have: the least that its control groups and the "
      + "machine allow.")
  private static let cpu = MetricDescription.counter(
    "process_cpu_seconds_total", "User and system CPU time spent.")
  private static let openFiles = MetricDescription.gauge(
    "process_open_fds", "Open file descriptors.")
  private static let filesMax = MetricDescription.gauge(
    "process_max_fds", "File descriptors that may be open.")
  private static let startTime = MetricDescription.gauge(
    "process_start_time_seconds", "Start of the process, seconds since 1970.")

  private var values: [(MetricDescription, Double?)]

  static func families() -> [MetricFamily] {
    ProcessFigures().values.compactMap { description, value in
      value.map { MetricFamily(description, $0) }
    }
  }

  private init() {
    let statistics = Self.statistics()
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    let pageBytes = Double(sysconf(Int32(_SC_PAGESIZE)))
    func field(_ number: Int) -> Double? {
      statistics.indices.contains(number - 3) ? statistics[number - 3] : nil
    }
    let cpu = field(14).flatMap { user in field(15).map { (user + $0) / ticks } }
    let start = field(22).flatMap { started in Self.bootTime().map { $0 + started / ticks } }
    var limit = rlimit()
    let filesMax = getrlimit(__rlimit_resource_t(7), &limit) == 0 ? Double(limit.rlim_cur) : nil
    values = [
      (Self.resident, field(24).map { $0 * pageBytes }), (Self.virtual, field(23)),
      (Self.memoryMax, MemoryLimit().bytes),
      (Self.cpu, cpu), (Self.openFiles, Self.openFileCount()), (Self.filesMax, filesMax),
      (Self.startTime, start),
    ]
  }

  /// The fields of /proc/self/stat from the third on: the second is the program's name, which may
  /// have blanks in it. What is no number is a zero.
  private static func statistics() -> [Double] {
    guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      let end = text.lastIndex(of: ")")
    else { return [] }
    return text[text.index(after: end)...].split(separator: " ").map { Double($0) ?? 0 }
  }

  /// Seconds since 1970.
  private static func bootTime() -> Double? {
    guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
    return text.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap {
      Double($0.dropFirst("btime ".count))
    }
  }

  /// Without the one that is open for the counting.
  private static func openFileCount() -> Double? {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))
      .map { Double(max($0.count - 1, 0)) }
  }
}
