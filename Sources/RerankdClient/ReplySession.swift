internal import CallTransport
internal import RerankdProtocol
internal import SwiftProtobuf
internal import Synchronization

/// What a reply consumer and its deliveries share over all attachments: who is held, what is still
/// to be acknowledged, and which stream is the present one.
final class ReplySession: Sendable {
  private struct State {
    /// Alive as long as the consumer or one of its deliveries, so that a delivery can be
    /// acknowledged after the last one was taken.
    var stream: CallStream?
    /// Delivered and not acknowledged yet.
    var held: Set<Acknowledgement> = []
    /// Acknowledgements that the present stream has not taken yet.
    var unsent: [Acknowledgement] = []
    /// Credit to give back with the next message, beyond that of acknowledgements.
    var spareCredit: UInt32 = 0
    var isSending = false
    var hasBeenAnswered = false
  }

  let configuration: ClientConfiguration
  private let connection: CallConnection
  private let channel: String
  private let tenant: String
  private let state = Mutex(State())

  /// Acknowledgements in one message.
  private static let acknowledgementsMax = 1_000

  init(
    _ connection: CallConnection, _ configuration: ClientConfiguration, _ channel: String,
    tenant: String
  ) {
    self.connection = connection
    self.configuration = configuration
    self.channel = channel
    self.tenant = tenant
  }

  /// The present stream. If there is none, one is opened with the credit that is not taken up by
  /// held deliveries, and with the acknowledgements that the last one did not take.
  func attached() -> CallStream {
    state.withLock { state in
      if let stream = state.stream { return stream }
      var request = ReceiveRequest()
      request.tenant = tenant
      request.channel = channel
      request.credit = UInt32(max(0, configuration.deliveriesHeldMax - state.held.count))
      request.acknowledged = state.unsent
      state.unsent = []
      state.spareCredit = 0
      let stream = connection.stream(.receive, first: Self.bytes(of: request))
      state.stream = stream
      return stream
    }
  }

  /// The present stream is over.
  func detach() {
    state.withLock { $0.stream = nil }
  }

  /// Notes what was delivered.
  /// - Returns: what the reader does not hold yet.
  func take(_ deliveries: [Delivery]) -> [Delivery] {
    state.withLock { state in
      state.hasBeenAnswered = true
      return deliveries.filter { delivery in
        let isNew = state.held.insert(Acknowledgement(delivery.outcome)).inserted
        if !isNew { state.spareCredit += 1 }
        return isNew
      }
    }
  }

  /// A queue that has answered before is taken to be restarting.
  func mayReattach(after error: CallError) -> Bool {
    guard error.code == .unavailable else { return false }
    return state.withLock { state in
      // Whatever else it says, there was a queue.
      if error.details.reason != "NO_QUEUE" { state.hasBeenAnswered = true }
      return state.hasBeenAnswered
    }
  }

  func acknowledge(_ outcome: JobOutcome) async {
    let acknowledgement = Acknowledgement(outcome)
    let isSender = state.withLock { state in
      guard state.held.remove(acknowledgement) != nil else { return false }
      state.unsent.append(acknowledgement)
      guard !state.isSending else { return false }
      state.isSending = true
      return true
    }
    // Acknowledgements that come in while one message waits to be sent travel together in the next.
    guard isSender else { return }
    while let (stream, request) = nextMessage() {
      do {
        try await stream.send(Self.bytes(of: request))
      } catch {
        // They go out with the next attachment.
        state.withLock { $0.unsent = request.acknowledged + $0.unsent }
      }
    }
  }

  private func nextMessage() -> (CallStream, ReceiveRequest)? {
    state.withLock { state in
      guard let stream = state.stream, stream.isOpen, !state.unsent.isEmpty else {
        state.isSending = false
        return nil
      }
      var request = ReceiveRequest()
      request.acknowledged = Array(state.unsent.prefix(Self.acknowledgementsMax))
      state.unsent.removeFirst(request.acknowledged.count)
      request.credit = UInt32(request.acknowledged.count) + state.spareCredit
      state.spareCredit = 0
      return (stream, request)
    }
  }

  private static func bytes(of request: ReceiveRequest) -> [UInt8] {
    do {
      return try request.serializedBytes()
    } catch {
      preconditionFailure("a ReceiveRequest cannot be serialized: \(error)")
    }
  }
}
