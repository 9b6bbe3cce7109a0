import RemoteEngine
import Testing

@testable import rerankd

@Suite struct ModelSettingsTests {
  private func read(
    _ text: String
  ) throws -> (models: [ModelSettings], backends: [RemoteEngineConfiguration]) {
    let file = try ConfigurationSection(file: "r.yaml", text: text)
    let lists = try RemoteEngineConfiguration.list(file)
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
    #expect(models.map(\.source) == [
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
      "backends[0].dialect", "known dialects"
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
}
