import Foundation
import TestSupport
import Testing

/// Programs from the Python package index that tests hold this project against.
enum PythonEnvironment {
  /// The folder of a virtual environment with what `Python/NAME_requirements.txt` lists; nil, and a
  /// line that says so, where the index cannot be reached.
  static func folder(_ name: String) async throws -> String? {
    let script = try ChildProcess(
      PackageFolder.url.appending(path: "Tests/SystemTests/Python/venv").path, arguments: [name])
    let exit = try await script.waitForExit(timeout: .seconds(300))
    if exit == .status(75) {
      print("skipped: no virtual environment with \(name)_requirements.txt")
      print(script.text(of: .error).suffix(500))
      return nil
    }
    try #require(exit == .status(0), "\(script.text(of: .error))")
    return script.text(of: .output).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
