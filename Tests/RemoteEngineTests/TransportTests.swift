import AsyncHTTPClient
import NIOCore
import Scoring
import TestSupport
import Testing

@testable import RemoteEngine

/// What lies between the engine and its backend.
struct TransportTests {
  private static let answer = """
    {"results":[{"index":0,"relevance_score":0.1},{"index":1,"relevance_score":0.9},
    {"index":2,"relevance_score":0.2}]}
    """

  @Test func aCertificateOfTheNamedAuthorityIsTrusted() async throws {
    #expect(try await failure { $0.authoritiesFile = TLSServer.file("authority.pem") } == nil)
  }

  @Test func anyOtherCertificateIsNot() async throws {
    let error = try await failure { _ in }
    #expect(error?.code == .unavailable)
    #expect(error?.isRetryable == true)
    #expect(error?.backendFault == .unavailable)
    let other = try await failure { $0.authoritiesFile = TLSServer.file("client.pem") }
    #expect(other?.code == .unavailable)
  }

  @Test func onlyWhatIsSaidToBeInsecureIs() async throws {
    #expect(try await failure { $0.isInsecure = true } == nil)
  }

  @Test func aBackendThatAsksForACertificateGetsIt() async throws {
    let without = try await failure(asksForCertificate: true) {
      $0.authoritiesFile = TLSServer.file("authority.pem")
    }
    #expect(without?.code == .unavailable)
    let with = try await failure(asksForCertificate: true) {
      $0.authoritiesFile = TLSServer.file("authority.pem")
      $0.certificateFile = TLSServer.file("client.pem")
      $0.keyFile = TLSServer.file("client.key")
    }
    #expect(with == nil)
  }

  @Test func aKeyThatCannotBeReadIsNamedByItsKey() async throws {
    let error = await #expect(throws: RemoteEngineConfiguration.Invalid.self) {
      try await failure {
        $0.certificateFile = TLSServer.file("client.pem")
        $0.keyFile = TLSServer.file("client.pem")
      }
    }
    #expect(error?.key == "tls.key_file")
  }

  @Test func requestsGoThroughTheProxyWithItsCredentials() async throws {
    let proxy = try FakeHub()
    try await EngineFixture.withEngine(
      proxy,
      change: {
        $0.baseURL = "http://backend.example/api"
        $0.proxy = .init(url: proxy.baseURL, credentialsVariable: "PROXY")
      }
    ) { engine in
      let result = try await engine.score(EngineFixture.request(), progress: {})
      #expect(
        result.scores.map(\.relevanceScore) == EngineFixture.scores(EngineFixture.documents))
    }
    try #require(proxy.requests.count == 2)
    #expect(proxy.requests[0].method == "CONNECT")
    #expect(proxy.requests[0].path == "backend.example:80")
    #expect(proxy.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz")
    #expect(proxy.requests[0].headers["authorization"] == nil)
    #expect(proxy.requests[1].path == "/api/v1/rerank")
    #expect(proxy.requests[1].headers["proxy-authorization"] == nil)
  }

  @Test(arguments: [
    (HTTPClientError.readTimeout, EngineError.Code.deadlineExceeded, BackendFault.unavailable),
    (.deadlineExceeded, .deadlineExceeded, .unavailable),
    (.connectTimeout, .unavailable, .unavailable),
    (.remoteConnectionClosed, .unavailable, .unavailable),
    (.proxyAuthenticationRequired, .unauthenticated, .credentialsRefused),
  ])
  func failuresOfTheTransportAreClassified(
    error: HTTPClientError, code: EngineError.Code, fault: BackendFault
  ) {
    let failure = TransportFailure.engineError(for: error, configuration: configuration())
    #expect(failure.code == code)
    #expect(failure.isRetryable)
    #expect(failure.backendFault == fault)
    #expect(failure.spendsAttempt == (fault != .credentialsRefused))
  }

  @Test func aJobsOwnDeadlineSaysNothingAgainstTheBackend() async throws {
    let hub = try FakeHub(fallback: .hang)
    try await EngineFixture.withEngine(hub, change: { $0.responseTimeout = .milliseconds(300) }) {
      engine in
      let own = try await EngineFixture.failure(
        engine, EngineFixture.request(remaining: .milliseconds(100)))
      #expect(own?.code == .deadlineExceeded)
      #expect(own?.backendFault == nil)
      let backends = try await EngineFixture.failure(engine, EngineFixture.request())
      #expect(backends?.code == .deadlineExceeded)
      #expect(backends?.backendFault == .unavailable)
    }
  }

  private func configuration() -> RemoteEngineConfiguration {
    RemoteEngineConfiguration(name: "hub", baseURL: "http://hub", models: [.init(name: "m")])
  }

  /// What becomes of a job before a server with a certificate of the test authority.
  private func failure(
    asksForCertificate: Bool = false, _ change: (inout RemoteEngineConfiguration.TLS) -> Void
  ) async throws -> EngineError? {
    let server = try await TLSServer(
      answer: Self.answer, asksForCertificate: asksForCertificate)
    var failure: EngineError?
    try await EngineFixture.withEngine(
      FakeHub(),
      change: {
        $0.baseURL = "https://127.0.0.1:\(server.port)"
        change(&$0.tls)
      }
    ) { engine in
      failure = try await EngineFixture.failure(engine, EngineFixture.request())
    }
    try await server.stop()
    return failure
  }
}
