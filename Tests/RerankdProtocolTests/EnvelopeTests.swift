import RerankdProtocol
import Testing

@Suite struct EnvelopeTests {
  @Test func everyEnvelopeSurvivesItsFrames() throws {
    var head = CallHead()
    head.method = Method.submit.rawValue
    head.timeoutMs = 1
    let status = CallError(.notFound, "no such job", reason: "NO_JOB", resource: "0-1").status
    let bodies: [Envelope.Body] = [
      .open(head, payload: nil), .open(head, payload: [1]), .message(payload: []),
      .status(status, payload: nil), .status(CallStatus(), payload: [1, 2]), .cancel,
      .window(bytes: .max), .reject(status),
    ]
    for body in bodies {
      let envelope = Envelope(callID: .max, flags: body == .cancel ? [] : .end, body)
      #expect(try Envelope(frames: envelope.frames()) == envelope)
    }
    #expect(try Envelope(frames: Envelope.ping.frames()) == .ping)
    #expect(try Envelope(frames: Envelope.pong.frames()) == .pong)
  }

  @Test func limitsAreTheReadersOwn() throws {
    var limits = ProtocolLimits()
    limits.frameBytesMax = 3
    let message = Envelope(callID: 1, .message(payload: [1, 2, 3, 4]))
    #expect(throws: EnvelopeError.self) {
      try Envelope(frames: message.frames(), limits: limits)
    }
    limits.frameBytesMax = 4
    #expect(try Envelope(frames: message.frames(), limits: limits) == message)
  }

  @Test func versionIsNamedToTheForeigner() throws {
    var frames = Envelope.ping.frames()
    frames[0][2] = 7
    let error = #expect(throws: EnvelopeError.self) { try Envelope(frames: frames) }
    #expect(error?.code == .unsupportedVersion(7))
    #expect(error?.callError.code == .unimplemented)
    #expect(error?.callError.details.resource == "1-1")
    #expect(error?.callError.message.contains("supported versions: 1 to 1") == true)
  }

  /// Bytes that nobody meant: any answer but a crash is right, and what is read can be written.
  @Test func randomFramesAreReadOrRefused() throws {
    var random = Generator(state: 20_261_124)
    var readable = 0
    for _ in 0..<20_000 {
      var frames = (0..<Int.random(in: 0...4, using: &random)).map { _ in
        (0..<Int.random(in: 0...40, using: &random)).map { _ in
          UInt8.random(in: .min ... .max, using: &random)
        }
      }
      // Half of them with a header that gets past the first look.
      if Bool.random(using: &random), !frames.isEmpty {
        let kind = UInt8.random(in: 0...10, using: &random)
        let flags = UInt8.random(in: 0...3, using: &random)
        let id: UInt8 = Bool.random(using: &random) ? 1 : 0
        frames[0] = [0x52, 0x4B, 1, kind, flags, 0, 0, 0, id, 0, 0, 0, 0, 0, 0, 0]
      }
      guard let envelope = try? Envelope(frames: frames) else { continue }
      readable += 1
      #expect(try Envelope(frames: envelope.frames()) == envelope)
    }
    #expect(readable > 100)
  }

  @Test func cutAndChangedEnvelopesAreReadOrRefused() throws {
    var random = Generator(state: 7)
    let status = CallError.invalidArgument(field: "jobs[0]", "is bad").status
    let original = Envelope(callID: 5, .status(status, payload: [1, 2, 3])).frames()
    for _ in 0..<20_000 {
      var frames = original
      let index = Int.random(in: 0..<frames.count, using: &random)
      if Bool.random(using: &random) {
        frames[index].removeLast(Int.random(in: 0...frames[index].count, using: &random))
      } else {
        let position = Int.random(in: 0..<frames[index].count, using: &random)
        frames[index][position] = .random(in: .min ... .max, using: &random)
      }
      _ = try? Envelope(frames: frames)
    }
  }

  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
  }
}
