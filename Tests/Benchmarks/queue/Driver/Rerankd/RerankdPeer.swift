import RerankdClient

/// The real queue and worker, with producers that are clients of the library.
struct RerankdPeer: Peer {
  static let name = "rerankd"

  var server: RerankdServer

  var name: String { Self.name }

  var processes: [PeerProcess] {
    [
      PeerProcess(role: "queue", processID: server.queue.processID),
      PeerProcess(role: "worker", processID: server.worker.processID), .client,
    ]
  }

  func run(_ shape: LoadShape, recorder: LifecycleRecorder, until stop: StopFlag) async throws {
    do {
      try await withThrowingTaskGroup { group in
        for index in 0..<shape.producers {
          let producer = try RerankdProducer(
            index: index, shape: shape, endpoint: server.endpoint, recorder: recorder, stop: stop)
          group.addTask { try await producer.run() }
        }
        try await group.waitForAll()
      }
    } catch {
      throw BenchmarkError(
        """
        rerankd: \(error)
        queue: \(server.queue.logTail)
        worker: \(server.worker.logTail)
        """)
    }
  }
}
