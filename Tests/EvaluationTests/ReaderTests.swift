import Testing

@testable import Evaluation

@Suite struct ReaderTests {
  private func read<Value: LineReadable>(_ type: Value.Type, _ lines: String...) throws -> Value {
    var value = type.init()
    for (index, line) in lines.enumerated() { try value.read(line, at: "file:\(index + 1)") }
    return value
  }

  private func message<Value: LineReadable>(_ type: Value.Type, _ lines: String...) -> String {
    var value = type.init()
    do {
      for (index, line) in lines.enumerated() { try value.read(line, at: "file:\(index + 1)") }
    } catch {
      return error.description
    }
    return ""
  }

  @Test func aDocumentIsItsTitleAndItsText() throws {
    let corpus = try read(
      Corpus.self, #"{"_id": "a", "title": "Ice", "text": "It moves.\n", "metadata": {}}"#,
      #"{"_id": 7, "text": " alone "}"#, #"{"_id": "c", "title": "", "text": ""}"#)
    #expect(corpus.ids == ["a", "7", "c"])
    #expect(corpus["a"] == "Ice It moves.")
    #expect(corpus["7"] == "alone")
    #expect(corpus["c"] == "")
    #expect(corpus["d"] == nil)
  }

  @Test func queriesKeepTheirOrder() throws {
    let list = try read(
      QueryList.self, #"{"_id": "b", "text": "one"}"#, #"{"_id": "a", "text": "two"}"#)
    #expect(list.queries == [.init(id: "b", text: "one"), .init(id: "a", text: "two")])
  }

  @Test func judgementsComeWithOrWithoutNamesAndInBothFormats() throws {
    let files = try [
      read(Judgements.self, "query-id\tcorpus-id\tscore", "q\td 1\t2", "q\te\t-1"),
      read(Judgements.self, "q\td 1\t2", "q\te\t-1", "q\te\t-1"),
      read(Judgements.self, "q\t0\td 1\t2", "q\t0\te\t-1"),
    ]
    for file in files { #expect(file["q"] == ["d 1": 2, "e": -1]) }
    let plain = try read(Judgements.self, "q 0 d 2", "q  0  e  0")
    #expect(plain["q"] == ["d": 2, "e": 0])
    #expect(plain["r"] == nil)
  }

  @Test func candidatesComeAsRunsInTheOrderOfTheirScoresAndAsLists() throws {
    let run = try read(RunFile.self, "q Q0 a 1 0.5 tag", "q Q0 b 2 9e-1 tag", "r\tQ0\tc\t1\t1\tt")
    #expect(run["q"]?.documents.map(\.id) == ["b", "a"])
    #expect(run["q"]?.documents.map(\.score) == [0.9, 0.5])
    #expect(run["r"]?.documents.map(\.id) == ["c"])
    let list = try read(RunFile.self, #"{"query-id": "q", "doc-ids": ["a", "b", 3]}"#)
    #expect(list["q"]?.documents.map(\.id) == ["a", "b", "3"])
    #expect(list["r"] == nil)
  }

  @Test func aRunThatIsWrittenIsReadAgain() throws {
    let ranking = Ranking([
      ScoredDocument(id: "a", score: 1.0000001), ScoredDocument(id: "b", score: 1),
      ScoredDocument(id: "c", score: -3e-12),
    ])
    let lines = try ranking.runLines(query: "q", tag: "t").split(separator: "\n").map(String.init)
    #expect(lines[0] == "q Q0 a 1 1.0000001 t")
    var read = RunFile()
    for line in lines { try read.read(line, at: "f:1") }
    #expect(read["q"] == ranking)
    #expect(throws: EvaluationError.self) { try ranking.runLines(query: "q 1", tag: "t") }
  }

  @Test func malformedLinesNameFileAndLine() {
    let messages = [
      message(Corpus.self, #"{"_id": "a", "text": "t"}"#, "{"),
      message(Corpus.self, #"{"_id": "a", "text": "t"}"#, #"{"title": "t"}"#),
      message(Corpus.self, #"{"_id": "a", "text": "t"}"#, #"{"_id": "b"}"#),
      message(Corpus.self, #"{"_id": "a", "text": "t"}"#, #"{"_id": "b", "text": 3}"#),
      message(Corpus.self, #"{"_id": "a", "text": "t"}"#, #"{"_id": "a", "text": "t"}"#),
      message(QueryList.self, #"{"_id": "a", "text": "t"}"#, #"{"_id": "b", "text": " "}"#),
      message(QueryList.self, #"{"_id": "a", "text": "t"}"#, #"{"_id": "a", "text": "u"}"#),
      message(QueryList.self, #"{"_id": "a", "text": "t"}"#, "b\ttext"),
      message(Judgements.self, "q\td\t1", "q\td\tx"),
      message(Judgements.self, "q\td\t1", "q\te\t1.5"),
      message(Judgements.self, "q 0 d 1", "q d 1"),
      message(Judgements.self, "q 0 d 1", "q 0 d 2"),
      message(Judgements.self, "query-id\tcorpus-id\tscore", "query-id\tcorpus-id\tscore"),
      message(RunFile.self, "q Q0 a 1 0.5 tag", "q Q0 b 2 tag"),
      message(RunFile.self, "q Q0 a 1 0.5 tag", "q Q0 b 2 high tag"),
      message(RunFile.self, "q Q0 a 1 0.5 tag", "q Q0 b 2 nan tag"),
      message(RunFile.self, "q Q0 a 1 0.5 tag", "q Q0 a 2 0.4 tag"),
      message(RunFile.self, #"{"query-id": "q", "doc-ids": []}"#, "r Q0 b 2 1 tag"),
      message(
        RunFile.self, #"{"query-id": "q", "doc-ids": []}"#, #"{"query-id": "q", "doc-ids": []}"#),
      message(RunFile.self, #"{"query-id": "q", "doc-ids": []}"#, #"{"query-id": "r"}"#),
      message(
        RunFile.self, #"{"query-id": "q", "doc-ids": []}"#,
        #"{"query-id": "r", "doc-ids": ["a", "a"]}"#),
    ]
    for message in messages { #expect(message.hasPrefix("file:2: "), "\(message)") }
    #expect(message(Judgements.self, "q d").hasPrefix("file:1: expected"))
    #expect(message(Judgements.self, "q 0 d 1 extra").hasPrefix("file:1: expected"))
    #expect(message(Judgements.self, "q\td\tgrade").contains("whole number"))
    #expect(message(RunFile.self, "q a b").hasPrefix("file:1: expected"))
  }
}
