internal import RerankdProtocol

/// One call as the client sees it.
struct Call {
  let shape: CallMultiplexer.Shape
  let deadline: Duration?
  /// Something of it was sent: the queue knows the call.
  var hasBegun = false
  /// The caller sends nothing more.
  var hasEnded: Bool
  /// It stands in the multiplexer's list of those that may send.
  var isReady = false
  var outbox = Queue<Envelope>()
  var outboxBytes = 0
  var window: SendWindow
  var assembler: MessageAssembler

  init(shape: CallMultiplexer.Shape, deadline: Duration?, limits: ProtocolLimits) {
    self.shape = shape
    self.deadline = deadline
    hasEnded = shape == .unary
    window = SendWindow(limits: limits)
    assembler = MessageAssembler(limits: limits)
  }

  /// Takes off what was sent.
  /// - Returns: its payload bytes.
  mutating func sent() -> Int? {
    guard let envelope = outbox.popFirst() else { return nil }
    isReady = false
    hasBegun = true
    // It stood in the list only because the window was wide enough.
    _ = window.take(envelope.payloadBytes)
    return envelope.payloadBytes
  }
}
