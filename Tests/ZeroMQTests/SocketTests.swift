import Testing
import ZeroMQ

@Suite struct SocketTests {
  private let bounds = Socket.MultipartBounds(framesMax: 8, bytesMax: 1 << 20)

  @Test func freePortIsReportedByBind() throws {
    let context = try Context()
    let router = try Socket(.router, in: context)
    let endpoint = try router.bind(Endpoint("tcp://127.0.0.1:*"))
    #expect(endpoint.text.hasPrefix("tcp://127.0.0.1:"))
    #expect(!endpoint.text.hasSuffix("*"))
    #expect(try router.lastEndpoint == endpoint)
  }

  @Test func multipartMessageTravelsBothWays() throws {
    let pair = try RouterAndDealer()
    #expect(try pair.sendWhenConnected([[1, 2, 3], []]) == .sent)
    let request = try pair.next(on: pair.router)
    #expect(request.count == 3)
    #expect(Array(request.dropFirst()) == [[1, 2, 3], []])
    #expect(try pair.router.send([request[0], [4]]) == .sent)
    #expect(try pair.next(on: pair.dealer) == [[4]])
  }

  @Test func messageForAnUnknownPeerIsUnreachable() throws {
    let pair = try RouterAndDealer()
    #expect(try pair.router.send([[9, 9, 9, 9, 9], [1]]) == .unreachable)
  }

  @Test func sendWithoutAPeerWouldBlock() throws {
    let context = try Context()
    let dealer = try Socket(.dealer, in: context)
    try dealer.connect(Endpoint("tcp://127.0.0.1:1"))
    #expect(try dealer.send([[1], [2]]) == .wouldBlock)
  }

  @Test func slowPeerBlocksItsOwnQueueAlone() throws {
    var options = SocketOptions()
    options.sendMessagesMax = 4
    options.receiveMessagesMax = 4
    let pair = try RouterAndDealer(options: options)
    #expect(try pair.sendWhenConnected([[1]]) == .sent)
    let identity = try pair.next(on: pair.router)[0]
    let payload = [UInt8](repeating: 7, count: 1 << 16)
    var accepted = 0
    while try pair.router.send([identity, payload, payload]) == .sent {
      accepted += 1
      guard accepted < 10_000 else { break }
    }
    #expect(accepted < 10_000)
    // What was accepted arrives whole: the refused message left no fragments behind.
    for _ in 0..<accepted { #expect(try pair.next(on: pair.dealer) == [payload, payload]) }
  }

  @Test func messageBeyondTheBoundsIsDrainedAndReported() throws {
    let pair = try RouterAndDealer()
    #expect(try pair.sendWhenConnected([[1], [2], [3], [4]]) == .sent)
    #expect(try pair.dealer.send([[UInt8](repeating: 1, count: 100)]) == .sent)
    #expect(try pair.dealer.send([[5]]) == .sent)
    let tight = Socket.MultipartBounds(framesMax: 3, bytesMax: 50)
    guard case .oversized(let first, frames: 5, bytes: 9) = try pair.outcome(on: pair.router, tight)
    else {
      Issue.record("expected the first message to exceed 3 frames")
      return
    }
    #expect(first.frames.count == 3)
    guard
      case .oversized(let second, frames: 2, bytes: 105) = try pair.outcome(on: pair.router, tight)
    else {
      Issue.record("expected the second message to exceed 50 bytes")
      return
    }
    #expect(second.frames == [first.frames[0]])
    #expect(try pair.next(on: pair.router).last == [5])
  }

  @Test func boundEndpointCannotBeBoundAgain() throws {
    let context = try Context()
    let first = try Socket(.pull, in: context)
    let endpoint = try first.bind(Endpoint("tcp://127.0.0.1:*"))
    let second = try Socket(.pull, in: context)
    let error = #expect(throws: ZeroMQError.self) { try second.bind(endpoint) }
    #expect(error?.isAddressInUse == true)
    #expect(error?.message.contains(endpoint.text) == true)
  }

  @Test func pushReachesPull() throws {
    let context = try Context()
    let pull = try Socket(.pull, in: context)
    let push = try Socket(.push, in: context)
    try push.connect(pull.bind(Endpoint("tcp://127.0.0.1:*")))
    let poller = try Poller()
    poller.add(push, .writable)
    try poller.wait(timeout: .seconds(5))
    #expect(try push.send([[42]]) == .sent)
    let receiver = try Poller()
    receiver.add(pull)
    try receiver.wait(timeout: .seconds(5))
    #expect(try pull.receive(bounds: bounds) == .message(.init(frames: [[42]])))
    #expect(try pull.receive(bounds: bounds) == .nothing)
  }
}

/// A connected pair over tcp, driven by one thread.
private struct RouterAndDealer {
  let context: Context
  let router: Socket
  let dealer: Socket

  init(options: SocketOptions = SocketOptions()) throws {
    context = try Context()
    router = try Socket(.router, in: context, options: options)
    dealer = try Socket(.dealer, in: context, options: options)
    try dealer.connect(router.bind(Endpoint("tcp://127.0.0.1:*")))
  }

  func sendWhenConnected(_ frames: [[UInt8]]) throws -> Socket.SendOutcome {
    let poller = try Poller()
    poller.add(dealer, .writable)
    try poller.wait(timeout: .seconds(5))
    return try dealer.send(frames)
  }

  func outcome(
    on socket: Socket, _ bounds: Socket.MultipartBounds
  ) throws -> Socket.ReceiveOutcome {
    let poller = try Poller()
    poller.add(socket)
    try poller.wait(timeout: .seconds(5))
    return try socket.receive(bounds: bounds)
  }

  func next(on socket: Socket) throws -> [[UInt8]] {
    let bounds = Socket.MultipartBounds(framesMax: 8, bytesMax: 1 << 20)
    guard case .message(let received) = try outcome(on: socket, bounds) else {
      Issue.record("no message within 5 seconds")
      return []
    }
    return received.frames
  }
}
