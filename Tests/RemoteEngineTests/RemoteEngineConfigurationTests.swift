import Foundation
import Logging
import RemoteEngine
import Scoring
import TestSupport
import Testing

struct RemoteEngineConfigurationTests {
  @Test func defaultsAreValid() throws {
    try configuration().validate()
  }

  @Test(arguments: [
    "", "hub.example", "ftp://hub.example", "http://", "https://user:secret@hub.example",
    "https://hub.example/?token=x",
  ])
  func unusableAddressIsRefused(url: String) {
    #expect(invalidKey { $0.baseURL = url } == "base_url")
  }

  @Test func eachWrongValueIsNamedByItsKey() {
    #expect(invalidKey { $0.name = "" } == "name")
    #expect(invalidKey { $0.models = [] } == "models")
    #expect(invalidKey { $0.models = [.init(name: "m"), .init(name: "m")] } == "models[1].name")
    #expect(invalidKey { $0.models = [.init(name: "")] } == "models[0].name")
    #expect(invalidKey { $0.models[0].contextTokens = 200 } == "models[0].context_tokens")
    #expect(invalidKey { $0.models[0].reservedTokens = -1 } == "models[0].context_tokens")
    #expect(invalidKey { $0.concurrentRequestsMax = 0 } == "concurrent_requests_max")
    #expect(invalidKey { $0.documentsMax = 0 } == "documents_max")
    #expect(invalidKey { $0.requestBytesMax = 0 } == "request_bytes_max")
    #expect(invalidKey { $0.responseBytesMax = 0 } == "response_bytes_max")
    #expect(invalidKey { $0.connectTimeout = .zero } == "connect_timeout")
    #expect(invalidKey { $0.responseTimeout = .zero } == "response_timeout")
    #expect(invalidKey { $0.credentialsPause = .zero } == "credentials_pause")
    #expect(invalidKey { $0.credentialsPoll = .zero } == "credentials_poll")
    #expect(invalidKey { $0.goldenPairPause = .zero } == "golden_pair_pause")
    #expect(invalidKey { $0.requestsPerMinute = 0 } == "requests_per_minute")
    #expect(invalidKey { $0.tokensPerMinute = 0 } == "tokens_per_minute")
    #expect(invalidKey { $0.requestTokensMax = 0 } == "request_tokens_max")
    #expect(invalidKey { $0.bisectionRequestsMax = 0 } == "bisection_requests_max")
  }

  @Test func rawScoresNeedABackendThatSendsThem() {
    #expect(
      invalidKey {
        $0.models[0].scoreKind = .raw
        $0.models[0].answeredScoreKind = .sigmoid
      } == "models[0].answered_scores")
    #expect(invalidKey { $0.models[0].scoreKind = .raw } == nil)
    #expect(invalidKey { $0.models[0].answeredScoreKind = .raw } == nil)
  }

  @Test func tlsThatCannotWorkIsNamedByItsKey() {
    #expect(
      invalidKey {
        $0.baseURL = "http://hub.example"
        $0.tls.authoritiesFile = "ca.pem"
      } == "tls")
    #expect(invalidKey { $0.tls.certificateFile = "client.pem" } == "tls.key_file")
    #expect(invalidKey { $0.tls.keyFile = "client.key" } == "tls.key_file")
    #expect(
      invalidKey {
        $0.tls.isInsecure = true
        $0.tls.authoritiesFile = "ca.pem"
      } == "tls.insecure")
  }

  @Test(arguments: [
    "", "proxy", "http://proxy", "https://proxy:3128", "http://user:secret@proxy:3128",
    "http://proxy:3128/path", "http://proxy:3128?x=y",
  ])
  func unusableProxyIsRefused(url: String) {
    #expect(invalidKey { $0.proxy = .init(url: url) } == "proxy.url")
  }

  @Test func onlyAnHTTPProxyTakesCredentials() {
    #expect(invalidKey { $0.proxy = .init(url: "socks5://proxy:1080") } == nil)
    #expect(invalidKey { $0.proxy = .init(url: "http://p:1", credentialsVariable: "P") } == nil)
    #expect(
      invalidKey { $0.proxy = .init(url: "socks5://proxy:1080", credentialsVariable: "P") }
        == "proxy.credentials_env")
  }

  @Test func whatIsReadAtTheStartIsNamedByItsKeyAndShowsNoSecret() throws {
    let folder = try TemporaryFolder()
    let noPEM = try folder.write("secret", to: "file")
    func startKey(_ change: (inout RemoteEngineConfiguration) -> Void) -> String? {
      var configuration = configuration()
      change(&configuration)
      let error = #expect(throws: RemoteEngineConfiguration.Invalid.self) {
        try RemoteRerankEngine(
          configuration, environment: ["P": "secret"], logger: Logger(label: "test"))
      }
      #expect(error?.message.contains("secret") == false)
      return error?.key
    }
    #expect(startKey { $0.tls.authoritiesFile = noPEM } == "tls.ca_file")
    #expect(startKey { $0.tls.authoritiesFile = "/nowhere" } == "tls.ca_file")
    #expect(
      startKey {
        $0.tls.certificateFile = noPEM
        $0.tls.keyFile = noPEM
      } == "tls.certificate_file")
    for variable in ["P", "ABSENT"] {
      #expect(
        startKey { $0.proxy = .init(url: "http://p:1", credentialsVariable: variable) }
          == "proxy.credentials_env")
    }
  }

  @Test func tokenizerFolderGivesExactCounts() async throws {
    var configuration = configuration()
    configuration.models.append(.init(name: "estimated"))
    configuration.models[0].tokenizerFolder =
      PackageFolder.url.appending(path: "Tests/Fixtures/tokenization/model").path
    let engine = try RemoteRerankEngine(
      configuration, environment: [:], logger: Logger(label: "test"))
    #expect(!engine.tokenCounter(forModel: "m").isEstimate)
    #expect(engine.tokenCounter(forModel: "estimated").isEstimate)
    await engine.shutdown()
  }

  @Test func unusableTokenizerIsNamedByItsKey() {
    var configuration = configuration()
    configuration.models[0].tokenizerFolder = "/nowhere"
    let error = #expect(throws: RemoteEngineConfiguration.Invalid.self) {
      try RemoteRerankEngine(configuration, environment: [:], logger: Logger(label: "test"))
    }
    #expect(error?.key == "models[0].tokenizer_folder")
  }

  private func configuration() -> RemoteEngineConfiguration {
    RemoteEngineConfiguration(
      name: "hub", baseURL: "https://hub.example/api", models: [.init(name: "m")])
  }

  private func invalidKey(_ change: (inout RemoteEngineConfiguration) -> Void) -> String? {
    var configuration = configuration()
    change(&configuration)
    do {
      try configuration.validate()
      return nil
    } catch {
      return error.key
    }
  }
}
