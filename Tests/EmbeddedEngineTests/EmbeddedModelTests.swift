import Foundation
import Scoring
import TestSupport
import Testing
import Tokenization

@testable import EmbeddedEngine

/// What a folder may hold, and what its errors say.
@Suite struct EmbeddedModelTests {
  @Test(arguments: TinyModel.allCases)
  func theFoldersTokenizerGivesTheReferencesIDs(model: TinyModel) throws {
    let loaded = try model.load()
    for pair in try model.golden() {
      let encoded = loaded.tokenizer.encodePair(query: pair.query, document: pair.document)
      #expect(encoded.ids == pair.ids)
      #expect(encoded.tokenTypes == pair.tokenTypes)
    }
    #expect(loaded.contextTokens == 64)
    #expect(loaded.network.precision == .fp32)
  }

  /// A field of config.json, its new value as JSON, and what the error must say.
  static let unsupported: [(field: String, value: String, expected: String)] = [
    ("architectures", #"["RobertaForSequenceClassification"]"#, "names Roberta"),
    ("architectures", #"["BertModel"]"#, "names BertModel"),
    ("architectures", "[]", "names no architecture"),
    ("id2label", #"{"0": "no", "1": "yes"}"#, "the model has 2 labels"),
    ("num_labels", "3", "the model has 3 labels"),
    ("position_embedding_type", #""relative_key""#, "position_embedding_type is relative_key"),
    ("is_decoder", "true", "is_decoder is set"),
    ("hidden_act", #""swish""#, "hidden_act is swish"),
    ("hidden_size", "0", "hidden_size is 0"),
    ("hidden_size", "null", "hidden_size is missing"),
    ("num_attention_heads", "7", "no multiple of num_attention_heads"),
    ("vocab_size", "9000000000", "vocab_size is 9000000000"),
    ("type_vocab_size", "1", "a pair needs 2 token types"),
    ("layer_norm_eps", "-1", "layer_norm_eps is -1"),
    ("num_hidden_layers", #""two""#, "config.json cannot be used"),
    (
      "sentence_transformers", #"{"activation_fn": "torch.nn.modules.activation.Tanh"}"#,
      "the score's activation is Tanh"
    ),
    // Well-formed, and not of these weights.
    ("num_hidden_layers", "3", "has no tensor bert.encoder.layer.2."),
    ("num_hidden_layers", "1", "has a tensor bert.encoder.layer.1."),
    ("intermediate_size", "41", "has shape [40, 24]; config.json makes it [41, 24]"),
    ("vocab_size", "50", "word_embeddings.weight has shape"),
  ]

  @Test(arguments: unsupported)
  func aModelThatIsNotComputedIsAPlainError(
    field: String, value: String, expected: String
  ) throws {
    let folder = try copy(of: .gelu)
    try change(field, to: value, in: folder)
    let error = #expect(throws: EmbeddedEngineError.self) {
      try EmbeddedModel.load(folder: folder.url, name: "m")
    }
    #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
  }

  @Test func aFolderWithoutSafetensorsSaysWhatItHasInstead() throws {
    for (file, expected) in [
      ("pytorch_model.bin", "has only pytorch_model.bin"),
      ("README.md", "the file is missing"),
    ] {
      let folder = try copy(of: .gelu)
      try FileManager.default.removeItem(at: folder.url.appending(path: "model.safetensors"))
      try folder.write("", to: file)
      let error = #expect(throws: EmbeddedEngineError.self) {
        try EmbeddedModel.load(folder: folder.url, name: "m")
      }
      #expect(error?.code == .unreadableFile)
      #expect(error?.message.contains(expected) == true)
    }
  }

  @Test func aFolderThatIsAbsentIsNamed() throws {
    let error = #expect(throws: EmbeddedEngineError.self) {
      try EmbeddedModel.load(folder: URL(filePath: "/absent/model"), name: "m")
    }
    #expect(error?.code == .unreadableFile)
    #expect(error?.message.contains("/absent/model/config.json") == true)
  }

  @Test func aVocabularyLargerThanTheWeightsIsAnError() throws {
    let folder = try copy(of: .gelu)
    let url = folder.url.appending(path: "vocab.txt")
    let vocabulary = try String(contentsOf: url, encoding: .utf8)
    try folder.write(vocabulary + "surplus\n", to: "vocab.txt")
    let error = #expect(throws: EmbeddedEngineError.self) {
      try EmbeddedModel.load(folder: folder.url, name: "m")
    }
    #expect(error?.message.contains("do they belong together?") == true)
  }

  /// Such a type would be looked up beyond the table's rows.
  @Test func aTokenTypeThatTheWeightsLackIsAnError() throws {
    for (type, isRefused) in [(1, false), (2, true), (255, true)] {
      let folder = try copy(of: .gelu)
      let words = try String(
        contentsOf: folder.url.appending(path: "vocab.txt"), encoding: .utf8
      ).split(separator: "\n").map(String.init)
      func piece(_ kind: String, _ id: String, _ type: Int) -> [String: Any] {
        [kind: ["id": id, "type_id": type]]
      }
      let special: [String: Any] = Dictionary(
        uniqueKeysWithValues: ["[CLS]", "[SEP]"].map { token in
          (token, ["id": token, "ids": [words.firstIndex(of: token) ?? 0], "tokens": [token]])
        })
      let single = [
        piece("SpecialToken", "[CLS]", 0), piece("Sequence", "A", 0),
        piece("SpecialToken", "[SEP]", 0),
      ]
      let definition: [String: Any] = [
        "normalizer": [
          "type": "BertNormalizer", "lowercase": true, "clean_text": true,
          "handle_chinese_chars": true, "strip_accents": true,
        ],
        "pre_tokenizer": ["type": "BertPreTokenizer"],
        "post_processor": [
          "type": "TemplateProcessing", "single": single,
          "pair": single + [
            piece("Sequence", "B", type), piece("SpecialToken", "[SEP]", type),
          ],
          "special_tokens": special,
        ],
        "model": [
          "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
          "max_input_chars_per_word": 100,
          "vocab": Dictionary(uniqueKeysWithValues: words.enumerated().map { ($1, $0) }),
        ] as [String: Any],
      ]
      try JSONSerialization.data(withJSONObject: definition)
        .write(to: folder.url.appending(path: "tokenizer.json"))
      guard isRefused else {
        _ = try EmbeddedModel.load(folder: folder.url, name: "m")
        continue
      }
      let error = #expect(throws: EmbeddedEngineError.self) {
        try EmbeddedModel.load(folder: folder.url, name: "m")
      }
      #expect(error?.message.contains("token type \(type) and the weights have 2") == true)
    }
  }

  @Test func theScoresActivationComesFromTheConfiguration() throws {
    for (value, kind) in [
      (#"{"activation_fn": "torch.nn.modules.linear.Identity"}"#, ScoreKind.raw),
      (#"{"activation_fn": "torch.nn.modules.activation.Sigmoid"}"#, .sigmoid),
    ] {
      let folder = try copy(of: .gelu)
      try change("sentence_transformers", to: value, in: folder)
      #expect(try EmbeddedModel.load(folder: folder.url, name: "m").scoreKind == kind)
    }
    #expect(try TinyModel.gelu.load().scoreKind == .sigmoid)
    #expect(ScoreKind.raw.score(ofLogit: -2).relevanceScore == -2)
    #expect(ScoreKind.sigmoid.score(ofLogit: 0).relevanceScore == 0.5)
    #expect(ScoreKind.sigmoid.score(ofLogit: 30).rankingKey == 30)
  }

  @Test func onlyTensorsOfPretrainingMayBeLeftOver() {
    for name in [
      "embeddings.position_ids", "bert.embeddings.position_ids", "cls.predictions.bias",
      "cls.predictions.transform.dense.weight", "cls.seq_relationship.weight",
    ] {
      #expect(BertWeights.isKnownSurplus(name))
    }
    for name in ["bert.encoder.layer.7.output.dense.bias", "classifier.out_proj.weight"] {
      #expect(!BertWeights.isKnownSurplus(name))
    }
  }

  @Test func aPathThatTheMachineLacksIsAnError() throws {
    for path in KernelPath.allCases where !path.isSupported {
      #expect(throws: EmbeddedEngineError.self) { try TinyModel.gelu.load(path) }
    }
    #expect(KernelPath.portable.isSupported)
    #expect(KernelPath.best.isSupported)
  }

  private func copy(of model: TinyModel) throws -> TemporaryFolder {
    let folder = try TemporaryFolder("model")
    for name in ["config.json", "model.safetensors", "vocab.txt"] {
      try FileManager.default.copyItem(
        at: model.folder.appending(path: name), to: folder.url.appending(path: name))
    }
    return folder
  }

  private func change(_ field: String, to value: String, in folder: TemporaryFolder) throws {
    let url = folder.url.appending(path: "config.json")
    var object =
      try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any] ?? [:]
    object[field] = try JSONSerialization.jsonObject(
      with: Data(value.utf8), options: .fragmentsAllowed)
    try JSONSerialization.data(withJSONObject: object).write(to: url)
  }
}
