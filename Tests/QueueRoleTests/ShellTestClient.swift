import Foundation
import Ledger
import Logging
import RerankdProtocol
import SwiftProtobuf
import TestSupport
import Testing
import ZeroMQ

@testable import QueueRole

/// A queue with a real ledger and real sockets on free ports, in a folder that goes with it.
final class TestQueue: Sendable {
  let folder: TemporaryFolder
  private let modify: @Sendable (inout QueueConfiguration) -> Void

  init(_ modify: @escaping @Sendable (inout QueueConfiguration) -> Void = { _ in }) throws {
    folder = try TemporaryFolder("queue")
    self.modify = modify
  }

  /// Starts the queue, lets the body talk to it on a thread of its own, for libzmq's calls block, and
  /// shuts the queue down. Can be done again: the ledger stays.
  func run(_ body: @escaping @Sendable (QueueEndpoints) throws -> Void) async throws {
    var configuration = QueueConfiguration(models: [
      CatalogueModel(name: Sample.model, contextTokens: 512, reservedTokens: 0, images: false)
    ])
    configuration.ledger = LedgerConfiguration(path: folder.path("ledger.sqlite"))
    configuration.shell.producersEndpoint = "tcp://127.0.0.1:*"
    configuration.shell.workersEndpoint = "tcp://127.0.0.1:*"
    configuration.shell.bareEndpoint = "tcp://127.0.0.1:*"
    configuration.shell.peers.peersMax = 64
    modify(&configuration)
    let service = QueueService(
      configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let running = Task { try await service.run() }
    do {
      let endpoints = try await service.endpoints
      try await onThread { try body(endpoints) }
    } catch {
      running.cancel()
      try? await running.value
      throw error
    }
    running.cancel()
    try await running.value
  }
}

private func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
  try await withCheckedThrowingContinuation { continuation in
    Thread { continuation.resume(with: Result { try body() }) }.start()
  }
}

struct TestTimeout: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The smallest client that speaks the protocol: one DEALER. For one thread.
final class TestClient {
  let socket: Socket
  private let poller: Poller
  private var lastCallID: UInt64 = 0

  init(
    _ endpoint: String, security: SocketOptions.Security = .none, receiveMessagesMax: Int = 1_000
  ) throws {
    var options = SocketOptions()
    options.security = security
    options.queuesWithoutPeer = true
    options.receiveMessagesMax = receiveMessagesMax
    options.linger = .zero
    socket = try Socket(.dealer, in: Context(), options: options)
    poller = try Poller()
    poller.add(socket)
    try socket.connect(Endpoint(endpoint))
  }

  func send(_ envelopes: Envelope...) throws {
    for envelope in envelopes { try sendRaw(envelope.frames()) }
  }

  func sendRaw(_ frames: [[UInt8]]) throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while try socket.send(frames) != .sent {
      guard ContinuousClock.now < deadline else {
        throw TestTimeout("the queue took nothing for 10 s")
      }
      Thread.sleep(forTimeInterval: 0.001)
    }
  }

  /// The next message from the queue.
  func next(within timeout: Duration = .seconds(10)) throws -> Envelope {
    let deadline = ContinuousClock.now + timeout
    while ContinuousClock.now < deadline {
      let bounds = Socket.MultipartBounds(framesMax: 10, bytesMax: 100 << 20)
      if case .message(let received) = try socket.receive(bounds: bounds) {
        return try Envelope(frames: received.frames)
      }
      try poller.wait(timeout: .milliseconds(20))
    }
    throw TestTimeout("the queue said nothing within \(timeout)")
  }

  func open(
    _ method: RerankdProtocol.Method, _ message: [UInt8], end: Bool = true, timeoutMs: UInt64 = 0
  ) throws -> UInt64 {
    lastCallID += 1
    var head = CallHead()
    head.method = method.rawValue
    head.timeoutMs = timeoutMs
    for envelope in Envelope.opening(callID: lastCallID, head, message: message, end: end) {
      try send(envelope)
    }
    return lastCallID
  }

  func open(
    _ method: RerankdProtocol.Method, _ message: some Message, end: Bool = true,
    timeoutMs: UInt64 = 0
  ) throws -> UInt64 {
    try open(
      method, message.serializedBytes() as [UInt8], end: end, timeoutMs: timeoutMs)
  }

  /// Waits for the end of a unary call; WINDOW messages before it are taken note of by nobody, for
  /// the tests send no more than the first window at once.
  func answer<Response: Message>(
    _ call: UInt64, _ type: Response.Type = Response.self
  ) throws -> Response {
    var bytes: [UInt8] = []
    while true {
      let envelope = try next()
      guard envelope.callID == call else { continue }
      switch envelope.body {
      case .message(let payload): bytes += payload ?? []
      case .status(let status, let payload):
        if let error = CallError(status: status) { throw error }
        return try Response(serializedBytes: bytes + (payload ?? []))
      case .reject(let status): throw CallError(status: status) ?? CallError(.unknown, "rejected")
      default: continue
      }
    }
  }

  func call<Response: Message>(
    _ method: RerankdProtocol.Method, _ message: some Message, _ type: Response.Type = Response.self
  ) throws -> Response {
    try answer(try open(method, message))
  }

  /// The next whole message of a stream.
  func message<Response: Message>(_ call: UInt64, _ type: Response.Type) throws -> Response {
    var bytes: [UInt8] = []
    while true {
      let envelope = try next()
      guard envelope.callID == call else { continue }
      switch envelope.body {
      case .message(let payload):
        bytes += payload ?? []
        if !envelope.flags.contains(.more) { return try Response(serializedBytes: bytes) }
      case .status(let status, payload: _):
        throw CallError(status: status) ?? CallError(.ok, "the stream has ended")
      default: continue
      }
    }
  }
}

/// A worker that holds one stream.
final class TestWorker {
  let client: TestClient
  let stream: UInt64
  let attached: Attached
  /// Came with the first message.
  private var firstAssignments: [Assignment]

  init(
    _ endpoint: String, id: String = "w1", security: SocketOptions.Security = .none,
    creditJobs: UInt32 = 100, held: [LeaseRef] = []
  ) throws {
    client = try TestClient(endpoint, security: security)
    var message = WorkerMessage()
    message.attach.workerID = id
    message.attach.held = held
    message.attach.models = [Sample.model]
    message.attach.creditJobs = creditJobs
    message.attach.creditBytes = 64 << 20
    stream = try client.open(.attach, message, end: false)
    let first = try client.message(stream, QueueMessage.self)
    attached = first.attached
    firstAssignments = first.assignments
  }

  /// Waits for the next assignments.
  func assignments() throws -> [Assignment] {
    if !firstAssignments.isEmpty {
      defer { firstAssignments = [] }
      return firstAssignments
    }
    while true {
      let assignments = try client.message(stream, QueueMessage.self).assignments
      if !assignments.isEmpty { return assignments }
    }
  }

  func complete(_ assignments: [Assignment], result: [UInt8] = [8, 1]) throws {
    var message = WorkerMessage()
    message.outcomes = assignments.map { assignment in
      var outcome = AttemptOutcome()
      outcome.lease = assignment.lease
      outcome.completed = .init(result)
      return outcome
    }
    for envelope in Envelope.messages(callID: stream, try message.serializedBytes()) {
      try client.send(envelope)
    }
  }

  /// Waits until so many outcomes are on disk.
  func recorded(_ count: Int) throws -> [UInt64] {
    var jobs: [UInt64] = []
    while jobs.count < count {
      jobs += try client.message(stream, QueueMessage.self).recordedJobIds
    }
    return jobs
  }
}
