import RerankdClient
import TestSupport

/// Two queues (shards) with a worker that serves both, and a gateway in front.
struct RunningShards {
  var queues: [RunningSystem]
  var worker: ChildProcess
  var gateway: RunningGateway

  var client: ShardedClient {
    get throws {
      try ShardedClient(ShardedConfiguration(endpoints: queues.map(\.producersEndpoint)))
    }
  }

  static func run(_ body: (RunningShards) async throws -> Void) async throws {
    let queues = try (0..<2).map { number in
      try RunningSystem(shard: number)
    }
    do {
      for queue in queues { try await queue.startQueue() }
      let worker = try queues[0].start(
        "worker",
        ["worker", "--config", queues[0].folder.path("rerankd.yaml"), "--id", "both"]
          + queues.flatMap { ["--queue", $0.workersEndpoint] })
      for queue in queues { try await queue.waitForWorkers(1) }
      let gateway = try await queues[0].startGateway(queues: queues.map(\.producersEndpoint))
      try await body(RunningShards(queues: queues, worker: worker, gateway: gateway))
    } catch {
      for queue in queues { print(queue.lastLogLines) }
      throw error
    }
  }
}
