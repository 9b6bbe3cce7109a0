import ArgumentParser
import RerankdProtocol
import Testing

@testable import rerankctl

@Suite struct JobOptionsTests {
  @Test func everyFlagReachesItsField() throws {
    let options = try JobOptions.parse([
      "--model", "m", "--allow-fallback", "--over-budget", "windows", "--max-tokens-per-doc", "300",
      "--document-failure", "per_document",
    ])
    #expect(options.spec.model == "m")
    #expect(options.spec.allowFallback)
    #expect(options.request.overBudget == .windows)
    #expect(options.request.maxTokensPerDoc == 300)
    #expect(options.request.documentFailure == .perDocument)
  }

  @Test func withoutFlagsNothingIsCutOrReplaced() throws {
    let options = try JobOptions.parse([])
    #expect(!options.spec.allowFallback)
    #expect(options.request == RerankRequest())
  }

  @Test(arguments: [
    ["--over-budget", "cut"], ["--document-failure", "none"], ["--max-tokens-per-doc", "-1"],
  ])
  func whatIsNoneOfTheChoicesIsRefused(arguments: [String]) {
    #expect(throws: (any Error).self) { try JobOptions.parse(arguments) }
  }
}
