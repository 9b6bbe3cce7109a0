internal import RerankdProtocol
internal import Synchronization
internal import ZeroMQ

/// A call as it is handed to the connection's thread.
struct CallStart: Sendable {
  var method: Method
  var metadata: [String: String]
  var message: [UInt8]?
  var timeout: Duration?
  var sink: CallSink
}

/// Where what becomes of a call goes.
enum CallSink: Sendable {
  case unary(CheckedContinuation<Result<[UInt8], CallError>, Never>)
  case stream(StreamInbox)

  func finish(_ result: CallMultiplexer.CallResult) {
    switch (self, result) {
    case (.unary(let continuation), .ok(let answer)):
      continuation.resume(returning: .success(answer ?? []))
    case (.unary(let continuation), .failed(let error)):
      continuation.resume(returning: .failure(error))
    case (.stream(let inbox), .ok): inbox.finish(nil)
    case (.stream(let inbox), .failed(let error)): inbox.finish(error)
    }
  }
}

/// What tasks ask of the connection's thread.
enum Command: Sendable {
  case open(callID: UInt64, CallStart)
  /// The closure is called once the stream has room again, or is over.
  case send(callID: UInt64, [UInt8]?, end: Bool, whenRoom: @Sendable () -> Void)
  case cancel(callID: UInt64, CallError)
  case close((@Sendable () -> Void)?)
}

/// The way from any task to the connection's thread.
final class CommandMailbox: Sendable {
  private struct State {
    var commands: [Command] = []
    var isClosed = false
  }

  private let state = Mutex(State())
  private let wakeUp: WakeUp

  init(wakeUp: WakeUp) {
    self.wakeUp = wakeUp
  }

  func post(_ command: Command) {
    let isClosed = state.withLock { state in
      if !state.isClosed { state.commands.append(command) }
      return state.isClosed
    }
    if isClosed { command.refuse() } else { wakeUp.signal() }
  }

  func takeAll() -> [Command] {
    state.withLock { state in
      defer { state.commands = [] }
      return state.commands
    }
  }

  /// From here on commands are refused. What had come in before is for the caller to deal with.
  func close() -> [Command] {
    state.withLock { state in
      state.isClosed = true
      defer { state.commands = [] }
      return state.commands
    }
  }
}

extension Command {
  /// Answers a command that no thread will carry out.
  func refuse() {
    switch self {
    case .open(_, let start):
      start.sink.finish(
        .failed(CallError(.failedPrecondition, "the connection to the queue was closed here")))
    case .send(_, _, _, let whenRoom): whenRoom()
    case .cancel: break
    case .close(let done): done?()
    }
  }
}
