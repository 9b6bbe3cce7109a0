import Testing

@testable import rerankctl

@Suite struct ModelEntryTests {
  private let entry = ModelEntry(
    name: "mine", folder: "/models/mine", contextTokens: 512, reservedTokens: 3)

  private let added = """
    - name: mine
      folder: /models/mine
      context_tokens: 512
      reserved_tokens: 3
    """.split(separator: "\n").map { "  \($0)\n" }.joined()

  @Test func entryComesLastOfTheListAndNothingElseChanges() throws {
    let text = """
      # The catalogue.
      models:
        - name: builtin      # inside
      #  - name: another
      #    folder: /x

      # Rerank APIs.
      backends: []
      """
    #expect(
      try entry.added(to: text)
        == text.replacing("# inside\n", with: "# inside\n\(added)"))
  }

  @Test func entryFollowsTheLastLineOfAnEntryWithSettings() throws {
    let text = "models:\n- name: a\n  folder: /a\n  context_tokens: 8\nqueue:\n  shard: 1\n"
    let unindented = added.split(separator: "\n").map { $0.dropFirst(2) + "\n" }.joined()
    #expect(
      try entry.added(to: text)
        == text.replacing("tokens: 8\n", with: "tokens: 8\n\(unindented)"))
  }

  /// Without a list the built-in model is served, and it goes on to be.
  @Test(arguments: ["", "queue:\n  shard: 1", "queue:\n  shard: 1\n"])
  func fileWithoutModelsKeepsTheBuiltInOne(text: String) throws {
    let start = text.isEmpty || text.hasSuffix("\n") ? text : text + "\n"
    #expect(try entry.added(to: text) == start + "models:\n  - name: builtin\n" + added)
  }

  @Test func emptyListIsFilled() throws {
    #expect(
      try entry.added(to: "models: [] # none yet\nqueue: {}\n")
        == "models:  # none yet\n  - name: builtin\n\(added)queue: {}\n")
  }

  @Test(arguments: [
    ("models:\n  - name: \"mine\"  # taken\n", "named \"mine\" already"),
    ("models:\n  - { name: mine, folder: /x }\n", "named \"mine\" already"),
    ("models: [{ name: a }]\n", "in one line"), ("models:\n  name: a\n", "no list"),
  ])
  func whatCannotBeAddedToIsSaid(text: String, message: String) {
    let error = #expect(throws: InputError.self) { try entry.added(to: text) }
    #expect(error?.description.contains(message) == true)
  }

  @Test func namesThatYAMLWouldMisreadAreQuoted() {
    var entry = entry
    for (name, written) in [
      ("Qwen/Qwen3-Reranker-0.6B", "Qwen/Qwen3-Reranker-0.6B"), ("no", "\"no\""),
      ("a: b", "\"a: b\""), ("7", "\"7\""), ("mit \"ü\"", #""mit \"ü\"""#),
    ] {
      entry.name = name
      #expect(entry.lines(indent: 0)[0] == "- name: \(written)")
    }
  }
}
