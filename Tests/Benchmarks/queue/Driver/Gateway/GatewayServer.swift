import Foundation

/// `rerankd gateway` in front of the benchmark's queue.
struct GatewayServer: Sendable {
  let process: ServerProcess
  let port: UInt16

  static func start(in folder: DataFolder, queue: String) async throws -> GatewayServer {
    let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    let port = try Loopback.freePort()
    let process = try ServerProcess(
      "rerankd-gateway",
      executable: own.deletingLastPathComponent().appending(path: "rerankd").path,
      arguments: ["gateway", "--queue", queue, "--listen", "127.0.0.1:\(port)"], in: folder)
    try await process.waitUntilListening(on: port)
    return GatewayServer(process: process, port: port)
  }

  /// By process, and this program's own, which makes the load.
  func usage(_ rerankd: RerankdServer) throws -> [String: ProcessUsage] {
    [
      "gateway": try .read(process.processID), "queue": try .read(rerankd.queue.processID),
      "worker": try .read(rerankd.worker.processID), "load": try .read(getpid()),
    ]
  }
}
