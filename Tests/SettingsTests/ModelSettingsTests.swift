import Foundation
import RemoteEngine
import Scoring
import Testing

@testable import Settings

@Suite struct ModelSettingsTests {
  private func read(
    _ text: String
  ) throws -> (models: [ModelSettings], backends: [RemoteEngineConfiguration]) {
    let file = try ConfigurationSection(file: "r.yaml", text: text)
    let lists = RemoteEngineConfiguration.list(file)
    try file.finish()
    return lists
  }

  @Test func withoutAnyModelTheBuiltInOneIsServed() throws {
    #expect(try read("").models == [.builtIn])
  }

  @Test func modelsComeFromTheBinaryAFolderOrABackend() throws {
    let (models, backends) = try read(
      """
      models:
        - name: builtin
        - name: local
          folder: /models/local
        - name: reranker
          backend: hub
          served_name: Qwen/Qwen3-VL-Reranker-8B
          images: true
          tokenizer_folder: /models/qwen
      backends:
        - name: hub
          base_url: https://hub.example
          token_env: HUB_TOKEN
          response_timeout: 30s
      """)
    #expect(
      models.map(\.source) == [
        .builtIn, .folder("/models/local"),
        .backend("hub", servedName: "Qwen/Qwen3-VL-Reranker-8B"),
      ])
    #expect(models.map(\.contextTokens) == [512, 512, 32_768])
    let hub = try #require(backends.first)
    #expect(hub.credentials == .environment("HUB_TOKEN"))
    #expect(hub.responseTimeout == .seconds(30))
    #expect(hub.models.map(\.name) == ["reranker"])
    #expect(hub.models.first?.servedName == "Qwen/Qwen3-VL-Reranker-8B")
    #expect(hub.models.first?.acceptsImages == true)
    #expect(hub.models.first?.tokenizerFolder == "/models/qwen")
  }

  @Test func folderOnThisMachineSaysWhatItsPairsTake() throws {
    let families = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Fixtures/families").path
    let models = try read(
      """
      models:
        - { name: xlm, folder: \(families)/xlm-roberta }
        - { name: said, folder: \(families)/xlm-roberta, context_tokens: 100, reserved_tokens: 9 }
        - { name: prompt, folder: \(families)/qwen3-causal }
      """
    ).models
    #expect(models.map(\.contextTokens) == [128, 100, 512])
    #expect(models.map(\.reservedTokens) == [4, 9, 3])
    #expect(models.map { $0.notice == nil } == [true, true, false])
    #expect(models[2].notice?.contains("depends on the tokenizer") == true)
  }

  @Test func folderOnAnotherMachineIsTakenForABERTAndSaidToBe() throws {
    let models = try read(
      """
      models:
        - { name: away, folder: /no/such/model }
        - { name: said, folder: /no/such/model, context_tokens: 8192, reserved_tokens: 80 }
      """
    ).models
    #expect(models[0].contextTokens == 512)
    #expect(models[0].reservedTokens == 3)
    #expect(
      models[0].notice == """
        model away: /no/such/model is not on this machine; the catalogue says that a pair takes 512 \
        tokens, 3 of them reserved: state context_tokens and reserved_tokens if it does not
        """)
    #expect(models[1].notice == nil)
    #expect(models[1].contextTokens == 8192)
  }

  @Test(arguments: [
    ("models:\n  - folder: /x\n", "models[0].name", "needs a name"),
    ("models:\n  - name: a\n  - name: a\n", "models[1].name", "named twice"),
    ("models:\n  - name: a\n    backend: hub\n", "models[0].backend", "no backend is named"),
    ("models:\n  - name: a\n    images: true\n", "models[0].images", "text alone"),
    ("models:\n  - name: a\n    served_name: b\n", "models[0].served_name", "only a backend's"),
    (
      "models:\n  - name: a\n    folder: /x\n    backend: hub\nbackends:\n  - name: hub\n    base_url: http://h\n",
      "models[0].backend", "not from both"
    ),
    ("backends:\n  - name: hub\n", "backends[0].base_url", "where the backend is"),
    (
      "backends:\n  - name: hub\n    base_url: http://h\n    dialect: klingon\n",
      "backends[0].dialect", "\"klingon\" is none of openai"
    ),
    (
      "models:\n  - name: a\n    backend: hub\nbackends:\n  - name: hub\n    base_url: ftp://h\n",
      "backends[0].base_url", "http or https"
    ),
    (
      "backends:\n  - name: hub\n    base_url: http://h\n    token_env: A\n    token_file: B\n",
      "backends[0].token_file", "not both"
    ),
  ])
  func aWrongEntryIsNamed(text: String, key: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try read(text) }
    #expect(error?.key == key)
    #expect(error?.message.contains(message) == true)
  }

  @Test func everySettingOfABackendArrives() throws {
    let (models, backends) = try read(
      """
      models:
        - name: reranker
          backend: hub
          answered_name: reranker-2026
          score_kind: sigmoid
          answered_scores: raw
          listwise: true
          golden_pair: false
      backends:
        - name: hub
          base_url: https://hub.example
          dialect: jina
          token_file: /etc/hub.token
          concurrent_requests_max: 3
          requests_per_minute: 600
          tokens_per_minute: 1_000_000
          documents_max: 100
          request_tokens_max: 50000
          request_bytes_max: 1MiB
          response_bytes_max: 2MiB
          bisection_requests_max: 20
          connect_timeout: 2s
          response_timeout: 30s
          credentials_pause: 10s
          credentials_poll: 5s
          golden_pair_pause: 20s
          tls:
            ca_file: ca.pem
            certificate_file: client.pem
            key_file: client.key
          proxy:
            url: http://proxy.example:3128
            credentials_env: PROXY_CREDENTIALS
      """)
    var model = RemoteEngineConfiguration.Model(name: "reranker", answeredName: "reranker-2026")
    model.answeredScoreKind = .raw
    model.isListwise = true
    model.checksGoldenPair = false
    var expected = RemoteEngineConfiguration(
      name: "hub", baseURL: "https://hub.example", models: [model])
    expected.dialect = .jina
    expected.credentials = .file("/etc/hub.token")
    expected.concurrentRequestsMax = 3
    expected.requestsPerMinute = 600
    expected.tokensPerMinute = 1_000_000
    expected.documentsMax = 100
    expected.requestTokensMax = 50_000
    expected.requestBytesMax = 1 << 20
    expected.responseBytesMax = 2 << 20
    expected.bisectionRequestsMax = 20
    expected.connectTimeout = .seconds(2)
    expected.responseTimeout = .seconds(30)
    expected.credentialsPause = .seconds(10)
    expected.credentialsPoll = .seconds(5)
    expected.goldenPairPause = .seconds(20)
    expected.tls.authoritiesFile = "ca.pem"
    expected.tls.certificateFile = "client.pem"
    expected.tls.keyFile = "client.key"
    expected.proxy = .init(
      url: "http://proxy.example:3128", credentialsVariable: "PROXY_CREDENTIALS")
    #expect(backends == [expected])
    #expect(models.map(\.remote.isListwise) == [true])
  }

  @Test func absentSettingsOfABackendKeepTheirDefaults() throws {
    let (_, backends) = try read(
      """
      models: [{ name: m, backend: hub }]
      backends: [{ name: hub, base_url: "http://hub" }]
      """)
    #expect(
      backends == [
        RemoteEngineConfiguration(name: "hub", baseURL: "http://hub", models: [.init(name: "m")])
      ])
  }

  @Test(arguments: [
    ("token_env: A, token_file: b", "backends[0].token_file", "not both"),
    ("documents_max: 0", "backends[0].documents_max", "whole number"),
    ("requests_per_minute: many", "backends[0].requests_per_minute", "whole number"),
    ("connect_timeout: 0s", "backends[0].connect_timeout", "at least"),
    ("tls: { insecure: true, ca_file: x }", "backends[0].tls.insecure", "no certificate"),
    ("tls: { insecure: perhaps }", "backends[0].tls.insecure", "true or false"),
    ("tls: { verify: false }", "backends[0].tls.verify", "no such setting"),
    ("proxy: { url: \"ftp://x\" }", "backends[0].proxy.url", "http://HOST:PORT"),
    ("proxy: { credentials_env: X }", "backends[0].proxy.credentials_env", "without a url"),
    ("token: sk-secret", "backends[0].token", "no such setting"),
  ])
  func whatABackendCannotBeIsNamedByItsKey(setting: String, key: String, says: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try read(
        """
        models: [{ name: m, backend: hub }]
        backends: [{ name: hub, base_url: "https://hub", \(setting) }]
        """)
    }
    #expect(error?.key == key)
    #expect(error?.message.contains(says) == true)
    #expect(error?.description.contains("sk-secret") == false)
  }

  @Test(arguments: [
    ("score_kind: logit", "models[1].score_kind", "none of sigmoid, raw"),
    (
      "score_kind: raw, answered_scores: sigmoid", "models[1].answered_scores", "cannot be had"
    ),
  ])
  func whatABackendsModelCannotBeIsNamedByItsKey(setting: String, key: String, says: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try read(
        """
        models: [{ name: builtin }, { name: m, backend: hub, \(setting) }]
        backends: [{ name: hub, base_url: "https://hub" }]
        """)
    }
    #expect(error?.key == key)
    #expect(error?.message.contains(says) == true)
  }

  @Test func onlyABackendsModelHasItsSettings() {
    let error = #expect(throws: ConfigurationError.self) {
      try read("models: [{ name: m, score_kind: raw }]")
    }
    #expect(error?.key == "models[0].score_kind")
  }
}
