import Foundation
import TestSupport
import Tokenization

/// What `Tests/Fixtures/tokenization/make_fixtures.py` made with the reference implementation.
enum Fixtures {
  static let folder = PackageFolder.url.appending(path: "Tests/Fixtures/tokenization")
  static let modelFolder = folder.appending(path: "model")

  struct Encodings: Decodable {
    struct Case: Decodable {
      var text: String
      /// By the name of the setting.
      var ids: [String: [Int32]]
      /// Where control tokens are recognised, with the setting "uncased"; nil where it is the same.
      var recognised: [Int32]?
    }

    struct Pair: Decodable {
      var query: String
      var document: String
      var ids: [Int32]
      var types: [UInt8]
    }

    var cases: [Case]
    var pairs: [Pair]
  }

  static func encodings() throws -> Encodings {
    try JSONDecoder().decode(
      Encodings.self, from: Data(contentsOf: folder.appending(path: "encodings.json")))
  }

  /// By the name of the setting: a digest for each 4,096 scalars.
  static func scalarDigests() throws -> [String: [String]] {
    try JSONDecoder().decode(
      [String: [String]].self, from: Data(contentsOf: folder.appending(path: "scalars.json")))
  }

  static let settings = ["uncased", "cased", "accents", "stripped", "raw"]

  static func options(_ setting: String) -> WordPieceOptions {
    var options = WordPieceOptions()
    switch setting {
    case "cased": options.lowercase = false
    case "accents": options.stripsAccents = false
    case "stripped":
      options.lowercase = false
      options.stripsAccents = true
    case "raw":
      options.cleansText = false
      options.splitsChineseCharacters = false
    default: break
    }
    return options
  }

  static func tokenizer(
    _ setting: String = "uncased", controlTokens: Tokenizer.ControlTokens = .areText
  ) throws -> Tokenizer {
    let vocabulary = try Data(contentsOf: modelFolder.appending(path: "vocab.txt"))
    return try Tokenizer(
      wordPieceVocabulary: [UInt8](vocabulary), options: options(setting),
      controlTokens: controlTokens)
  }
}
