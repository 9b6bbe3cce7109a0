import Glibc

/// Why a measurement could not be made.
struct BenchmarkError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) {
    self.description = description
  }

  /// A system call that failed just now: its name and what errno says.
  init(system call: String) {
    description = "\(call): \(String(cString: strerror(errno)))"
  }
}
