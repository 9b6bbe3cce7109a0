import Foundation
import Scoring

/// `rerankd-model.json`, which a model's folder may have beside what Hugging Face puts there: what
/// config.json cannot say, and pairs whose scores are known. Every key may be left out; what is known
/// for the family then holds.
struct ModelManifest: Decodable, Sendable {
  static let fileName = "rerankd-model.json"
  static let bytesMax = 1 << 20

  /// A pair and the logit that it must get, to within rounding.
  struct GoldenPair: Decodable, Sendable {
    var query: String
    var document: String
    var logit: Float
  }

  /// For people; the catalogue names a model as the configuration does.
  var title: String?
  var licence: String?
  var template: PairEncoder.Template?
  var scoreKind: ScoreKind?
  /// At most as many as the weights allow.
  var contextTokens: Int?
  /// Of ``contextTokens``, what the template's own text takes; at least as many as it does take.
  var reservedTokens: Int?
  var golden: [GoldenPair] = []

  enum CodingKeys: String, CodingKey, CaseIterable {
    case title = "name"
    case licence, template, scoreKind, contextTokens, reservedTokens, golden
  }

  init() {}

  init(from decoder: any Decoder) throws {
    // A misspelt key would go unnoticed otherwise, and the golden pairs with it.
    let known = Set(CodingKeys.allCases.map(\.rawValue))
    for key in try decoder.container(keyedBy: AnyKey.self).allKeys
    where !known.contains(key.stringValue) {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: [key],
          debugDescription: "\(key.stringValue) is no key of a manifest; "
            + "\(known.sorted().joined(separator: ", ")) are"))
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    title = try container.decodeIfPresent(String.self, forKey: .title)
    licence = try container.decodeIfPresent(String.self, forKey: .licence)
    template = try container.decodeIfPresent(PairEncoder.Template.self, forKey: .template)
    scoreKind = try container.decodeIfPresent(String.self, forKey: .scoreKind).map { name in
      guard let kind = ScoreKind(rawValue: name) else {
        throw DecodingError.dataCorruptedError(
          forKey: .scoreKind, in: container,
          debugDescription: "scoreKind is \(name); sigmoid and raw work")
      }
      return kind
    }
    func count(_ key: CodingKeys) throws -> Int? {
      let count = try container.decodeIfPresent(Int.self, forKey: key)
      if let count, count < 1 {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container,
          debugDescription: "\(key.rawValue) is \(count); 1 and more works")
      }
      return count
    }
    contextTokens = try count(.contextTokens)
    reservedTokens = try count(.reservedTokens)
    golden = try container.decodeIfPresent([GoldenPair].self, forKey: .golden) ?? []
  }

  /// The folder's manifest; one that says nothing where there is none.
  static func read(in folder: URL) throws -> ModelManifest {
    let url = folder.appending(path: fileName)
    guard FileManager.default.fileExists(atPath: url.path) else { return ModelManifest() }
    let json = try BoundedFile.read(url, bytesMax: bytesMax)
    do {
      return try JSONDecoder().decode(ModelManifest.self, from: json)
    } catch {
      throw EmbeddedEngineError(
        code: .malformedFile, message: "\(url.path) cannot be used", underlying: error)
    }
  }
}

private struct AnyKey: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }

  init?(stringValue: String) {
    self.stringValue = stringValue
  }

  init?(intValue: Int) { nil }
}

extension PairEncoder.Template: Decodable {
  /// "pair", or a prompt as an object.
  init(from decoder: any Decoder) throws {
    let single = try decoder.singleValueContainer()
    guard let name = try? single.decode(String.self) else {
      self = .prompt(try single.decode(PromptTemplate.self))
      return
    }
    guard name == "pair" else {
      throw DecodingError.dataCorruptedError(
        in: single, debugDescription: "the template is \(name); pair and a prompt work")
    }
    self = .pair
  }
}
