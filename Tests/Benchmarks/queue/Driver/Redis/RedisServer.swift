import Foundation
import Glibc

/// Debian's redis-server, syncing its append-only file before every answer. All else is as it
/// comes, the rewriting of the append-only file included: our queue checkpoints too.
struct RedisServer: Sendable {
  let process: ServerProcess
  let port: UInt16

  static func start(in folder: DataFolder) async throws -> RedisServer {
    let port = try Loopback.freePort()
    let process = try ServerProcess(
      "redis", executable: "redis-server",
      arguments: [
        "--port", "\(port)", "--bind", "127.0.0.1", "--daemonize", "no", "--save", "",
        "--appendonly", "yes", "--appendfsync", "always", "--dir", try folder.folder("redis"),
      ], in: folder)
    try await process.waitUntilListening(on: port)
    return RedisServer(process: process, port: port)
  }

  /// As the program says it: "7.0.15".
  static func version(in folder: DataFolder) async throws -> String {
    let process = try ServerProcess(
      "redis-version", executable: "redis-server", arguments: ["--version"], in: folder)
    while process.isRunning { try await Task.sleep(for: .milliseconds(5)) }
    try await process.end()
    let word = process.logTail.split(separator: " ").first { $0.hasPrefix("v=") }
    return word.map { String($0.dropFirst(2)) } ?? "of unknown version"
  }
}
