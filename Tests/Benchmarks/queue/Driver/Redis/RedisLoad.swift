import Foundation
import Glibc

/// Keeps a number of jobs in flight in Redis. One thread serves all connections, since the client
/// shares the machine's cores with the server.
struct RedisLoad: Sendable {
  var shape: LoadShape
  var arrangement: RedisLane.Arrangement
  var port: UInt16

  private static let drainSeconds: Int64 = 10

  /// Runs until `duration` says so, then lets what is in flight end.
  func run(recorder: LifecycleRecorder, until stop: StopFlag) async throws {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(with: Result { try loop(recorder: recorder, until: stop) })
      }
    }
  }

  private func loop(recorder: LifecycleRecorder, until stop: StopFlag) throws {
    let lanes = try (0..<shape.producers).map { index in
      try RedisLane(
        index: index, depth: shape.depth, arrangement: arrangement, port: port,
        payloadBytes: shape.payloadBytes, recorder: recorder)
    }
    let connections = lanes.flatMap(\.connections)
    lanes.forEach { $0.start() }

    var polled = connections.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    var drainDeadline: Int64?
    while lanes.contains(where: { $0.inFlight > 0 }) {
      if drainDeadline == nil, stop.isSet {
        drainDeadline = monotonicNanoseconds() + Self.drainSeconds * 1_000_000_000
        lanes.forEach { $0.stop() }
      }
      if let drainDeadline, monotonicNanoseconds() > drainDeadline {
        throw BenchmarkError("redis did not finish what was in flight")
      }
      for (index, connection) in connections.enumerated() {
        try connection.flush()
        polled[index].events = Int16(connection.hasOutput ? POLLIN | POLLOUT : POLLIN)
      }
      guard poll(&polled, nfds_t(polled.count), 100) >= 0 || errno == EINTR else {
        throw BenchmarkError(system: "poll")
      }
      for (index, connection) in connections.enumerated()
      where polled[index].revents & ~Int16(POLLOUT) != 0 {
        try connection.receive { lanes[$0.lane].handle($0, $1) }
      }
    }
  }
}
