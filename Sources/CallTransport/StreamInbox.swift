internal import RerankdProtocol
internal import Synchronization

/// What has come in on a stream and was not taken yet: filled by the connection's thread, read by
/// one task. Credit, which the reader gives, bounds it in good faith; `bytesMax` in bad faith.
final class StreamInbox: Sendable {
  typealias Reader = CheckedContinuation<Result<[UInt8]?, CallError>, Never>

  struct End: Sendable {
    /// Nil for OK.
    var error: CallError?
  }

  private struct State {
    var messages = Queue<[UInt8]>()
    var bytes = 0
    var end: End?
    var reader: Reader?
  }

  private let bytesMax: Int
  private let state = Mutex(State())

  init(bytesMax: Int) {
    self.bytesMax = bytesMax
  }

  /// Nil while the call goes on.
  var end: End? { state.withLock(\.end) }

  /// False when the reader is so far behind that the call is to be ended.
  func deliver(_ message: [UInt8]) -> Bool {
    let (reader, fits): (Reader?, Bool) = state.withLock { state in
      if let reader = state.reader {
        state.reader = nil
        return (reader, true)
      }
      guard message.count <= bytesMax - state.bytes else { return (nil, false) }
      state.messages.append(message)
      state.bytes += message.count
      return (nil, true)
    }
    reader?.resume(returning: .success(message))
    return fits
  }

  /// The first end counts.
  func finish(_ error: CallError?) {
    let reader: Reader? = state.withLock { state in
      guard state.end == nil else { return nil }
      state.end = End(error: error)
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume(returning: Self.result(of: error))
  }

  /// Gives the reader the next message or the end, now or when it comes.
  func take(_ reader: Reader) {
    let result: Result<[UInt8]?, CallError>? = state.withLock { state in
      if let message = state.messages.popFirst() {
        state.bytes -= message.count
        return .success(message)
      }
      if let end = state.end { return Self.result(of: end.error) }
      precondition(state.reader == nil, "a stream's messages have one reader")
      state.reader = reader
      return nil
    }
    if let result { reader.resume(returning: result) }
  }

  private static func result(of error: CallError?) -> Result<[UInt8]?, CallError> {
    error.map { .failure($0) } ?? .success(nil)
  }
}
