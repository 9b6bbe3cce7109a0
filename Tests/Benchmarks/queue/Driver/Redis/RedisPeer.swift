/// Redis with one of the arrangements of its clients.
struct RedisPeer: Peer {
  var server: RedisServer
  var arrangement: RedisLane.Arrangement

  var name: String { "redis, \(arrangement.rawValue)" }

  var processes: [PeerProcess] {
    [PeerProcess(role: "queue", processID: server.process.processID), .client]
  }

  func run(_ shape: LoadShape, recorder: LifecycleRecorder, until stop: StopFlag) async throws {
    let load = RedisLoad(shape: shape, arrangement: arrangement, port: server.port)
    try await load.run(recorder: recorder, until: stop)
  }
}
