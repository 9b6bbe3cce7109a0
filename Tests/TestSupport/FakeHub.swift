import Foundation
import Glibc
import Synchronization

/// A rerank server as hosted hubs run them, on a free loopback port: `GET /v1/models` and `POST
/// /v1/rerank` behind a Bearer token, over real sockets, with faults on demand. Any path that ends
/// in `/rerank` is one of rerank requests.
///
/// Rerank requests take the answers of ``script(_:)`` in order of arrival and ``fallback`` once
/// these are used up. Everything asked is recorded. The server ends with the object.
public final class FakeHub: Sendable {
  public struct Request: Sendable {
    public var method: String
    public var path: String
    /// Names in lower case.
    public var headers: [String: String]
    public var body: String
    public var receivedAt: ContinuousClock.Instant
  }

  /// An answer to ``serve(_:)``'s requests.
  public struct Page: Sendable {
    public var status: Int
    public var headers: [String: String]
    public var body: [UInt8]
    /// The connection ends after so many bytes of the body; nil: it is sent whole.
    public var cutAfter: Int?

    public init(
      status: Int = 200, headers: [String: String] = [:], body: [UInt8] = [], cutAfter: Int? = nil
    ) {
      self.status = status
      self.headers = headers
      self.body = body
      self.cutAfter = cutAfter
    }
  }

  public static let token = "fake-hub-token"
  /// Requests beyond this many are counted and not kept.
  public static let recordedRequestsMax = 10_000

  public let port: UInt16
  public let models: [String]
  public var baseURL: String { "http://127.0.0.1:\(port)" }

  private let listener: Int32
  private let state: SharedState

  final class SharedState: Sendable {
    struct Fields {
      var script: [Answer] = []
      var fallback = Answer.scores
      var token = FakeHub.token
      var listings: [String: String] = [:]
      var pages: (@Sendable (Request) -> Page?)?
      var requests: [Request] = []
      var rerankCount = 0
      var inFlight = 0
      var inFlightMax = 0
      var connections: Set<Int32> = []
      var isClosed = false
    }

    let fields = Mutex(Fields())
  }

  public init(models: [String] = ["fake-reranker"], fallback: Answer = .scores) throws {
    let listening = try LoopbackSocket.listening()
    listener = listening.descriptor
    port = listening.port
    self.models = models
    state = SharedState()
    state.fields.withLock { $0.fallback = fallback }
    let (listener, state) = (listener, state)
    Thread.detachNewThread {
      while true {
        let connection = Glibc.accept(listener, nil, nil)
        guard connection >= 0 else { break }
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        let isOpen = state.fields.withLock { fields in
          if !fields.isClosed { fields.connections.insert(connection) }
          return !fields.isClosed
        }
        guard isOpen else {
          close(connection)
          break
        }
        Thread.detachNewThread {
          HubConnection(descriptor: connection, models: models, state: state).serve()
        }
      }
      close(listener)
    }
  }

  deinit {
    stop()
  }

  /// Refuses connections from here on and cuts those that are open.
  public func stop() {
    state.fields.withLock { fields in
      guard !fields.isClosed else { return }
      fields.isClosed = true
      // The threads that own the descriptors see the shutdown and close them.
      for connection in fields.connections { shutdown(connection, Int32(SHUT_RDWR)) }
      shutdown(listener, Int32(SHUT_RDWR))
    }
  }

  /// What the next rerank requests get, one answer each.
  public func script(_ answers: [Answer]) {
    state.fields.withLock { $0.script += answers }
  }

  /// What rerank requests get when nothing is scripted.
  public var fallback: Answer {
    get { state.fields.withLock { $0.fallback } }
    set { state.fields.withLock { $0.fallback = newValue } }
  }

  /// What a GET of the path is answered, in place of the list of models.
  public func list(_ body: String, at path: String) {
    state.fields.withLock { $0.listings[path] = body }
  }

  /// What any request is answered, whoever asks; where the closure returns nil it is a hub of
  /// rerankers as otherwise.
  public func serve(_ pages: @escaping @Sendable (Request) -> Page?) {
    state.fields.withLock { $0.pages = pages }
  }

  /// The token that is accepted from here on.
  public func accept(token: String) {
    state.fields.withLock { $0.token = token }
  }

  public var requests: [Request] { state.fields.withLock { $0.requests } }
  /// Rerank requests that arrived whole, whatever they were answered.
  public var rerankCount: Int { state.fields.withLock { $0.rerankCount } }
  /// Rerank requests that are being answered.
  public var inFlight: Int { state.fields.withLock { $0.inFlight } }
  /// The most rerank requests that were being answered at one time.
  public var inFlightMax: Int { state.fields.withLock { $0.inFlightMax } }
}
