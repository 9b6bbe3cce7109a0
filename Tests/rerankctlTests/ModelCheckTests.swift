import EmbeddedEngine
import Foundation
import TestSupport
import Testing

@testable import rerankctl

/// Folders of Tests/Fixtures/families, whole and spoilt.
@Suite struct ModelCheckTests {
  @Test func soundModelPassesEveryStepAndIsMeasured() async throws {
    let report = try await check(fixture)
    #expect(report.passed)
    #expect(
      report.steps.map(\.name)
        == ["files", "tensors", "numbers", "golden pairs", "tokenizer", "sense", "precision"])
    #expect(report.speed.count == ModelProbe.fastPrecisions.count)
    #expect(report.speed.allSatisfy { $0.pairsPerCpuSecond > 0 && $0.tokensPerPair > 100 })
    #expect(report.text.hasSuffix("can be used\n"))
  }

  @Test func modelThatRanksAnAnswerBelowAnythingElseFails() async throws {
    let report = try await check(fixture.deletingLastPathComponent().appending(path: "xlm-roberta"))
    #expect(!report.passed)
    #expect(report.steps.filter { !$0.passed }.map(\.name) == ["sense"])
    #expect(report.text.contains("FAIL  sense"))
  }

  // Rounding its weights to 8 bits moves this model's golden pair too far.
  @Test(.enabled(if: ModelProbe.fastPrecisions.contains(.w8a16), "needs AVX512-BF16"))
  func precisionThatNobodyIsGivenUnaskedIsNamedAndNoFailure() async throws {
    let report = try await check(fixture.deletingLastPathComponent().appending(path: "xlm-roberta"))
    #expect(report.steps.first { $0.name == "precision" }?.detail == "auto takes bf16")
    #expect(report.unfitPrecisions.count == 1)
    #expect(report.text.contains("not to be used in w8a16: "))
  }

  @Test func wrongGoldenPairIsNamedAsSuch() async throws {
    let report = try await checkSpoilt { folder in
      let manifest = folder.appending(path: "rerankd-model.json")
      let text = try String(contentsOf: manifest, encoding: .utf8)
      try text.replacing("-1.614958", with: "-1.714958")
        .write(to: manifest, atomically: true, encoding: .utf8)
    }
    #expect(report.steps.filter { !$0.passed }.map(\.name) == ["golden pairs"])
  }

  @Test func tensorsThatAreMissingOrNoNumbersAreNamed() async throws {
    let weights = "model.safetensors"
    let infinite = try await checkSpoilt { folder in
      var data = try Data(contentsOf: folder.appending(path: weights))
      data.replaceSubrange(data.count - 4..<data.count, with: [0, 0, 0xC0, 0x7F])
      try data.write(to: folder.appending(path: weights))
    }
    let numbers = infinite.steps.first { $0.name == "numbers" }
    #expect(numbers?.passed == false)
    #expect(numbers?.detail.contains("NaN or infinity in ") == true)
    let missing = try await checkSpoilt { folder in
      var data = try Data(contentsOf: folder.appending(path: weights))
      let name = try #require(data.firstRange(of: Data("classifier.weight".utf8)))
      data.replaceSubrange(name, with: Data("classifier.wright".utf8))
      try data.write(to: folder.appending(path: weights))
    }
    let tensors = missing.steps.first { $0.name == "tensors" }
    #expect(tensors?.passed == false)
    #expect(tensors?.detail.contains("classifier.weight") == true)
  }

  @Test func folderThatIsNoneSaysSo() async throws {
    let report = try await check(URL(filePath: "/no/such/model"))
    #expect(!report.passed)
    #expect(report.steps.first?.detail.contains("/no/such/model/config.json") == true)
    #expect(report.speed.isEmpty)
  }

  // MARK: -

  private var fixture: URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/families/modernbert-cls")
  }

  private func check(_ folder: URL) async throws -> ModelCheck.Report {
    let location = try #require(ModelLocation(argument: folder.path))
    return await ModelCheck(location: location, probeSeconds: 0).run()
  }

  /// Of a changed copy.
  private func checkSpoilt(
    _ change: (URL) throws -> Void
  ) async throws -> ModelCheck.Report {
    let temporary = try TemporaryFolder("model")
    let folder = temporary.url.appending(path: "copy")
    try FileManager.default.copyItem(at: fixture, to: folder)
    try change(folder)
    return try await check(folder)
  }
}
