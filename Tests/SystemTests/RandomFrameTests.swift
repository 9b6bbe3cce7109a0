import RerankdClient
import RerankdProtocol
import SwiftProtobuf
import TestSupport
import Testing
import ZeroMQ

extension SystemTests {
  /// Peers that speak nonsense, on all three sockets: they are answered or dropped, and nobody else
  /// notices.
  @Suite struct RandomFrameTests {
    private static let messages = 3_000

    @Test func nonsenseOnEverySocketHarmsNobody() async throws {
      print("RandomFrameTests: seed \(TestSettings.seed) (RERANKD_SEED)")
      var random = SeededGenerator(seed: TestSettings.seed)
      try await RunningSystem.run { system in
        try await system.withClient { client in
          #expect(try await client.rerank(.make()).ranking == [0, 1])
          let queue = try system.process("queue")
          for endpoint in [system.producersEndpoint, system.workersEndpoint] {
            try send(to: endpoint, .dealer, &random) { message(&$0) }
            #expect(try await client.rerank(.make()).ranking == [0, 1])
          }
          try send(to: system.intakeEndpoint, .push, &random) { bareMessage(&$0) }
          try await eventually("the count of what was refused") {
            try await client.status().counters.bareRejected > 0
          }
          #expect(try await client.rerank(.make()).ranking == [0, 1])
          let counters = try await client.status().counters
          #expect(counters.malformedMessages > 0)
          #expect(queue.exit == nil)
          #expect(try system.process("w0").exit == nil)
          #expect(try await client.status().epoch == 1)
        }
      }
    }

    /// Sends all, and reads what is answered, so that the queue need not drop the peer for that.
    private func send(
      to endpoint: String, _ kind: Socket.Kind, _ random: inout SeededGenerator,
      _ make: (inout SeededGenerator) -> [[UInt8]]
    ) throws {
      let context = try Context()
      var options = SocketOptions()
      options.linger = .seconds(10)
      let socket = try Socket(kind, in: context, options: options)
      try socket.connect(Endpoint(endpoint))
      let bounds = Socket.MultipartBounds(framesMax: 16, bytesMax: 1 << 20)
      let deadline = ContinuousClock.now + .seconds(60)
      var sent = 0
      while sent < Self.messages {
        guard ContinuousClock.now < deadline else {
          throw TimeoutError(description: "\(sent) messages were taken at \(endpoint) in a minute")
        }
        let frames = make(&random)
        while try socket.send(frames) != .sent, ContinuousClock.now < deadline {}
        sent += 1
        if kind == .dealer {
          while case .message = try socket.receive(bounds: bounds) {}
        }
      }
      socket.close()
    }

    /// Random frames, and valid messages with a byte changed, a frame cut, dropped or repeated.
    private func message(_ random: inout SeededGenerator) -> [[UInt8]] {
      if Int.random(in: 0..<4, using: &random) == 0 {
        return (0..<Int.random(in: 1...5, using: &random)).map { _ in
          random.bytes(.random(in: 0...200, using: &random))
        }
      }
      var frames = valid(&random).frames()
      for _ in 0...Int.random(in: 0...2, using: &random) { damage(&frames, &random) }
      return frames.isEmpty ? [[]] : frames
    }

    private func damage(_ frames: inout [[UInt8]], _ random: inout SeededGenerator) {
      guard let index = frames.indices.randomElement(using: &random) else { return }
      switch Int.random(in: 0..<5, using: &random) {
      case 0: frames.remove(at: index)
      case 1: frames.insert(frames[index], at: index)
      case 2: frames[index] = Array(frames[index].prefix(.random(in: 0...20, using: &random)))
      case 3: frames[index] += random.bytes(.random(in: 1...40, using: &random))
      default:
        if let byte = frames[index].indices.randomElement(using: &random) {
          frames[index][byte] = .random(in: .min ... .max, using: &random)
        }
      }
    }

    private func valid(_ random: inout SeededGenerator) -> Envelope {
      let callID = UInt64.random(in: 0...8, using: &random)
      let payload = random.bytes(.random(in: 0...64, using: &random))
      switch Int.random(in: 0..<7, using: &random) {
      case 0, 1:
        var head = CallHead()
        head.method = Method.allCases.randomElement(using: &random)?.rawValue ?? ""
        head.timeoutMs = 1_000
        let flags: Envelope.Flags = Bool.random(using: &random) ? .end : []
        return Envelope(callID: callID, flags: flags, .open(head, payload: payload))
      case 2: return Envelope(callID: callID, flags: .more, .message(payload: payload))
      case 3: return Envelope(callID: callID, flags: .end, .message(payload: payload))
      case 4: return Envelope(callID: callID, .cancel)
      case 5: return Envelope(callID: callID, .status(CallStatus(), payload: payload))
      default: return Envelope(callID: callID, .window(bytes: .max))
      }
    }

    private func bareMessage(_ random: inout SeededGenerator) -> [[UInt8]] {
      var frame = random.bytes(.random(in: 0...300, using: &random))
      if Bool.random(using: &random), let job = try? RerankJob.make(),
        let bytes: [UInt8] = try? job.serializedBytes()
      {
        frame = bytes
        for _ in 0...2 {
          if let index = frame.indices.randomElement(using: &random) {
            frame[index] = .random(in: .min ... .max, using: &random)
          }
        }
      }
      return Int.random(in: 0..<10, using: &random) == 0 ? [frame, frame] : [frame]
    }
  }
}
