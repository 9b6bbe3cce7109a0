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
