import RerankdProtocol
import Testing

@Suite struct FragmentTests {
  private var limits: ProtocolLimits {
    var limits = ProtocolLimits()
    limits.frameBytesMax = 4
    limits.messageBytesMax = 10
    return limits
  }

  @Test(arguments: [0, 1, 4, 5, 8, 10])
  func messagesSurviveTheirFragments(count: Int) throws {
    let message = (0..<count).map { UInt8($0) }
    var assembler = MessageAssembler(limits: limits)
    var whole: [[UInt8]] = []
    let envelopes = Envelope.messages(callID: 1, message, end: true, limits: limits)
    #expect(envelopes.count == max(1, (count + 3) / 4))
    for envelope in envelopes {
      let read = try Envelope(frames: envelope.frames(), limits: limits)
      if let message = try assembler.take(read) { whole.append(message) }
    }
    #expect(whole == [message])
    #expect(!assembler.isMidMessage)
    #expect(envelopes.last?.flags == .end)
    #expect(envelopes.dropLast().allSatisfy { $0.flags == .more })
  }

  @Test func openingCarriesTheFirstFragment() {
    var head = CallHead()
    head.method = "/m"
    let envelopes = Envelope.opening(
      callID: 9, head, message: [1, 2, 3, 4, 5], end: true, limits: limits)
    #expect(
      envelopes == [
        Envelope(callID: 9, flags: .more, .open(head, payload: [1, 2, 3, 4])),
        Envelope(callID: 9, flags: .end, .message(payload: [5])),
      ])
    #expect(
      Envelope.opening(callID: 9, head, message: nil, end: false)
        == [Envelope(callID: 9, .open(head, payload: nil))])
  }

  @Test func answerEndsWithTheLastFragmentInItsStatus() {
    #expect(
      Envelope.answer(callID: 9, [1, 2, 3, 4, 5], limits: limits) == [
        Envelope(callID: 9, flags: .more, .message(payload: [1, 2, 3, 4])),
        Envelope(callID: 9, .status(CallStatus(), payload: [5])),
      ])
    #expect(
      Envelope.answer(callID: 9, [], limits: limits)
        == [Envelope(callID: 9, .status(CallStatus(), payload: []))])
  }

  @Test func messageOverTheLimitIsLetGoOf() throws {
    var assembler = MessageAssembler(limits: limits)
    #expect(try assembler.append([1, 2, 3, 4], more: true, callID: 1) == nil)
    #expect(try assembler.append([1, 2, 3, 4], more: true, callID: 1) == nil)
    #expect(assembler.pendingBytes == 8)
    let error = #expect(throws: EnvelopeError.self) {
      try assembler.append([1, 2, 3], more: true, callID: 1)
    }
    #expect(error?.code == .tooLarge)
    #expect(assembler.pendingBytes == 0)
    #expect(assembler.bytesReceived == 11)
  }

  @Test func discardForgetsTheUnfinishedMessageAlone() throws {
    var assembler = MessageAssembler(limits: limits)
    _ = try assembler.append([1], more: true, callID: 1)
    #expect(assembler.isMidMessage)
    assembler.discard()
    #expect(!assembler.isMidMessage)
    #expect(try assembler.append([2], more: false, callID: 1) == [2])
    #expect(assembler.bytesReceived == 2)
  }
}

@Suite struct ByteWindowTests {
  private var limits: ProtocolLimits {
    var limits = ProtocolLimits()
    limits.initialWindowBytes = 8
    return limits
  }

  @Test func sendingStopsWhereTheWindowEnds() {
    var window = SendWindow(limits: limits)
    let first = window.take(5)
    let second = window.take(4)
    #expect(first && !second)
    #expect(window.bytes == 3)
    window.grant(1)
    let third = window.take(4)
    #expect(third)
    #expect(window.bytes == 0)
  }

  @Test func grantsSaturate() {
    var window = SendWindow(limits: limits)
    for _ in 0..<10 { window.grant(.max) }
    #expect(window.bytes <= Int(Int32.max) + Int(UInt32.max))
    let fits = window.take(Int(UInt32.max))
    #expect(fits)
  }

  @Test func receiverGrantsByHalfWindows() {
    var window = ReceiveWindow(limits: limits)
    let first = window.receive(8)
    let excess = window.receive(1)
    #expect(first && !excess)
    #expect(window.release(3) == nil)
    #expect(window.release(1) == 4)
    #expect(window.openBytes == 4)
    let again = window.receive(4)
    #expect(again)
    #expect(window.openBytes == 0)
  }

  /// However fragments are cut, a receiver that deals with what it gets never starves its sender.
  @Test(arguments: 1...4)
  func windowNeverStarves(fragmentBytes: Int) {
    var sender = SendWindow(limits: limits)
    var receiver = ReceiveWindow(limits: limits)
    for _ in 0..<100 {
      let sent = sender.take(fragmentBytes)
      let received = receiver.receive(fragmentBytes)
      #expect(sent && received)
      if let grant = receiver.release(fragmentBytes) { sender.grant(grant) }
    }
  }
}
