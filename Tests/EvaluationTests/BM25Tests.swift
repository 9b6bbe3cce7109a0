import Foundation
import Testing

@testable import Evaluation

@Suite struct BM25Tests {
  private static let texts = [
    "a": "glaciers move because ice deforms under its own weight",
    "b": "Ice, ice, and more ice: glaciers are moving rivers of ice!",
    "c": "glass is made of sand",
    "d": "",
    "e": "sand moves with the wind; the wind moves sand",
    "f": "a glacier's weight",
  ]

  private static func corpus(_ texts: [String: String] = texts) throws -> Corpus {
    var corpus = Corpus()
    for (id, text) in texts.sorted(by: { $0.key < $1.key }) {
      let line = try JSONEncoder().encode(["_id": id, "text": text])
      try corpus.read(String(decoding: line, as: UTF8.self), at: "corpus:1")
    }
    return corpus
  }

  /// The formula, term by term and document by document.
  private static func reference(
    query: [String], document: [String], corpus: [[String]], k1: Double, b: Double
  ) -> Double {
    let mean = Double(corpus.map(\.count).reduce(0, +)) / Double(corpus.count)
    return query.reduce(0) { sum, term in
      let tf = Double(document.count { $0 == term })
      guard tf > 0 else { return sum }
      let n = Double(corpus.count { $0.contains(term) })
      let odds: Double = (Double(corpus.count) - n + 0.5) / (n + 0.5)
      let length: Double = 1 - b + b * Double(document.count) / mean
      return sum + log(1 + odds) * tf / (tf + k1 * length)
    }
  }

  @Test(arguments: [(0.9, 0.4), (1.2, 0.75), (0, 0), (2, 1)])
  func scoresAreThoseOfTheFormula(k1: Double, b: Double) throws {
    var parameters = BM25Index.Parameters()
    (parameters.k1, parameters.b) = (k1, b)
    parameters.analysis = .plain
    let index = try BM25Index(of: Self.corpus(), parameters: parameters)
    let analysed = Self.texts.mapValues { TextAnalysis.plain.terms(of: $0) }
    let query = "ice ice moves sand wind nowhere"
    let ranking = index.rank(Self.texts.keys.sorted(), for: query)
    #expect(ranking.documents.count == 6)
    for document in ranking.documents {
      let expected = Self.reference(
        query: TextAnalysis.plain.terms(of: query), document: analysed[document.id] ?? [],
        corpus: Array(analysed.values), k1: k1, b: b)
      #expect(abs(Double(document.score) - expected) < 1e-6, "\(document.id)")
    }
  }

  @Test func searchFindsWhatSharesATermBestFirst() throws {
    let index = try BM25Index(of: Self.corpus())
    let found = index.search("How does glacier ice move?", depth: 10)
    #expect(Set(found.documents.map(\.id)) == ["a", "b", "e", "f"])
    #expect(found.documents.first?.id == "b")
    #expect(found == index.rank(["a", "b", "e", "f"], for: "How does glacier ice move?"))
    let two = index.search("How does glacier ice move?", depth: 2)
    #expect(two.documents == Array(found.documents.prefix(2)))
    #expect(index.search("the of and", depth: 10).documents == [])
  }

  @Test func stemmingAndFunctionWordsAreForEnglishAlone() {
    #expect(TextAnalysis.english.terms(of: "The rivers are moving") == ["river", "move"])
    #expect(
      TextAnalysis.plain.terms(of: "The rivers are moving") == ["the", "rivers", "are", "moving"])
  }

  @Test func termsAreRunsOfLettersAndDigitsOfAnyScript() {
    let terms = TextAnalysis.plain.terms(
      of: "Straße № 7b—Ελλάδα, हिन्दी; e\u{301}te\u{301} x_y 東京\u{2028}٣")
    #expect(
      terms == ["straße", "7b", "ελλάδα", "हिन्दी", "e\u{301}te\u{301}", "x", "y", "東京", "٣"])
    #expect(TextAnalysis.plain.terms(of: " \n\t—") == [])
  }

  @Test func stemsAreThoseOfTheReferenceImplementation() throws {
    let stems = try GoldenFile.read("stems.json", as: [String: String].self)
    #expect(stems.count > 150)
    for (word, stem) in stems { #expect(PorterStemmer.stem(word) == stem, "\(word)") }
  }

  @Test func wordsThatAreNotEnglishStayAsTheyAre() {
    for word in ["élèves", "Ünïts", "東京", "", "as"] { #expect(PorterStemmer.stem(word) == word) }
  }

  @Test func anEmptyCorpusAndUnknownDocumentsScoreNothing() throws {
    let index = try BM25Index(of: Corpus())
    #expect(index.search("ice", depth: 10).documents == [])
    #expect(index.rank(["x"], for: "ice").documents == [ScoredDocument(id: "x", score: 0)])
  }

  @Test func parametersOutOfRangeAreErrors() throws {
    for (k1, b) in [(-0.1, 0.4), (0.9, 1.1), (0.9, -0.1), (Double.infinity, 0.4), (.nan, 0)] {
      var parameters = BM25Index.Parameters()
      (parameters.k1, parameters.b) = (k1, b)
      #expect(throws: EvaluationError.self) {
        try BM25Index(of: Self.corpus(), parameters: parameters)
      }
    }
  }
}
