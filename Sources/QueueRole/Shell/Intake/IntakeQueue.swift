internal import Dispatch
internal import RerankdProtocol

/// What the loop hands to the validator: whole messages, still serialized.
enum IntakeItem: Sendable {
  /// `windowBytes` of it still take up room in the call's window.
  case message(
    CallInstance, RerankdProtocol.Method, [UInt8], isFirst: Bool, windowBytes: Int)
  /// The peer sends nothing more on a stream. It passes through the validator so that it arrives
  /// behind the messages before it.
  case end(CallInstance)
  /// The peer has ended the call, and takes the same way.
  case cancel(CallInstance)
  case bare([UInt8], from: Caller)

  /// Nil for bare jobs.
  var origin: CallInstance? {
    switch self {
    case .message(let origin, _, _, isFirst: _, windowBytes: _), .end(let origin),
      .cancel(let origin):
      origin
    case .bare: nil
    }
  }

  var bytes: Int {
    switch self {
    case .message(_, _, let message, _, _), .bare(let message, from: _): message.count
    case .end, .cancel: 0
    }
  }
}

/// What came out, in the order of what went in.
struct IntakeResult: Sendable {
  enum Outcome: Sendable {
    case inputs([QueueInput])
    case refused(CallError)
    case ended
    case cancelled
  }

  /// Nil for bare jobs.
  var origin: CallInstance?
  var outcome: Outcome
  /// Of the message, serialized: room for as much again in the intake, and in the call's window.
  var bytes: Int
  var windowBytes = 0
}

/// The validator's own thread: a serial dispatch queue, so that a body of 64 MiB holds up neither
/// heartbeats nor anybody's commit. It has no bound of its own: the loop counts what it has handed over
/// and not got back, and stops reading its sockets in time.
struct IntakeQueue {
  private let queue = DispatchQueue(label: "rerankd.queue.intake")
  private let decoder: CallDecoder
  private let deliver: @Sendable ([IntakeResult]) -> Void

  /// - Parameter deliver: takes the results, on the validator's thread.
  init(decoder: CallDecoder, deliver: @escaping @Sendable ([IntakeResult]) -> Void) {
    self.decoder = decoder
    self.deliver = deliver
  }

  /// One call for all that a turn of the loop has read, so that a turn costs one wake-up each way.
  func submit(_ items: [IntakeItem]) {
    queue.async { [decoder, deliver] in
      deliver(items.map { Self.result(of: $0, decoder) })
    }
  }

  static func result(of item: IntakeItem, _ decoder: CallDecoder) -> IntakeResult {
    switch item {
    case .message(let origin, let method, let message, let isFirst, let windowBytes):
      let outcome: IntakeResult.Outcome
      do {
        outcome = .inputs(
          try decoder.inputs(origin.call, method, message, isFirst: isFirst))
      } catch {
        outcome = .refused(error)
      }
      return IntakeResult(
        origin: origin, outcome: outcome, bytes: message.count, windowBytes: windowBytes)
    case .end(let origin):
      return IntakeResult(origin: origin, outcome: .ended, bytes: 0)
    case .cancel(let origin):
      return IntakeResult(origin: origin, outcome: .cancelled, bytes: 0)
    case .bare(let message, let caller):
      return IntakeResult(
        origin: nil, outcome: .inputs([caller.scoped(bare: decoder.bare(message))]),
        bytes: message.count)
    }
  }
}
