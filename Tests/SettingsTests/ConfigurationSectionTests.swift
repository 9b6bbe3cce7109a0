import Testing

@testable import Settings

@Suite struct ConfigurationSectionTests {
  @Test func readsValuesWithTheirUnits() throws {
    let section = try ConfigurationSection(
      file: "r.yaml",
      text: """
        queue:
          ledger: /var/lib/rerankd/ledger.sqlite
          lease: 30s
          cache: 64MiB
          shard: 3
          insecure: false
        models:
          - name: builtin
          - name: other
        """)
    let queue = section.section("queue")
    #expect(try queue.string("ledger") == "/var/lib/rerankd/ledger.sqlite")
    #expect(try queue.duration("lease") == .seconds(30))
    #expect(try queue.byteCount("cache") == 64 << 20)
    #expect(try queue.integer("shard", in: 0...10) == 3)
    #expect(try queue.boolean("insecure") == false)
    #expect(try queue.string("absent") == nil)
    #expect(try section.sections("models").map { try $0.string("name") } == ["builtin", "other"])
    try section.finish()
  }

  @Test func anUnknownKeyIsNamedWithItsLine() throws {
    let section = try ConfigurationSection(
      file: "r.yaml", text: "queue:\n  leese: 30s\n  shard: 1\n")
    let queue = section.section("queue")
    _ = try queue.integer("shard", in: 0...10)
    _ = try queue.duration("lease")
    let error = #expect(throws: ConfigurationError.self) { try section.finish() }
    #expect(error?.place == "r.yaml:2")
    #expect(error?.key == "queue.leese")
    #expect(error?.message.contains("lease, shard") == true)
  }

  @Test(arguments: [
    ("lease: soon", "lease"), ("lease: 5", "lease"), ("lease: -5s", "lease"),
    ("lease: [1]", "lease"), ("lease: 99999999999999999d", "lease"),
  ])
  func aMalformedDurationIsAnError(text: String, key: String) throws {
    let section = try ConfigurationSection(file: "r.yaml", text: text)
    let error = #expect(throws: ConfigurationError.self) { try section.duration("lease") }
    #expect(error?.place == "r.yaml:1")
    #expect(error?.key == key)
  }

  @Test(arguments: ["n: 12", "n: x", "n: 3.5", "n: {}"])
  func anIntegerOutsideItsRangeIsAnError(text: String) throws {
    let section = try ConfigurationSection(file: "r.yaml", text: text)
    #expect(throws: ConfigurationError.self) { try section.integer("n", in: 0...10) }
  }

  @Test(arguments: ["- a", "just text", "a: b: c", "a: 1\na: 2"])
  func textThatIsNoMappingIsAnError(text: String) {
    #expect(throws: ConfigurationError.self) {
      try ConfigurationSection(file: "r.yaml", text: text)
    }
  }

  @Test func everythingThatIsWrongIsSaidAtOnce() throws {
    let section = try ConfigurationSection(
      file: "r.yaml", text: "a: x\nb: 10s\nc: 1\nd: 2\n")
    var (count, time) = (7, Duration.seconds(1))
    section.count("a", into: &count)
    section.time("b", into: &time)
    section.time("c", into: &time)
    let error = #expect(throws: ConfigurationError.self) { try section.finish() }
    #expect(error?.all.map(\.place) == ["r.yaml:1", "r.yaml:3", "r.yaml:4"])
    #expect(error?.all.map(\.key) == ["a", "c", "d"])
    #expect(count == 7 && time == .seconds(10))
  }

  @Test func anEmptyFileIsAllDefaults() throws {
    for text in ["", "# nothing\n"] {
      let section = try ConfigurationSection(file: "r.yaml", text: text)
      #expect(try section.section("queue").string("ledger") == nil)
      try section.finish()
    }
  }

  @Test func aWrongValueInAListIsNamedByItsIndex() throws {
    let section = try ConfigurationSection(
      file: "r.yaml", text: "models:\n  - name: a\n  - nam: b\n")
    for model in section.sections("models") { _ = try model.string("name") }
    let error = #expect(throws: ConfigurationError.self) { try section.finish() }
    #expect(error?.key == "models[1].nam")
    #expect(error?.place == "r.yaml:3")
  }
}
