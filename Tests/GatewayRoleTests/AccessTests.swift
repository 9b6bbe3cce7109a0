import Foundation
import Logging
import TestSupport
import Testing

@testable import GatewayRole

/// Tokens, their file and their limits.
@Suite struct AccessTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder("tokens")
  }

  private func write(_ text: String, mode: Int = 0o600) throws -> String {
    try folder.write(text, to: "tokens")
    let path = folder.path("tokens")
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    return path
  }

  private func file(
    _ path: String, tokensMax: Int = 10, checkInterval: Duration = .zero
  ) throws -> AccessTokenFile {
    try AccessTokenFile(
      path: path, tokensMax: tokensMax, checkInterval: checkInterval, logger: Logger(label: "test"))
  }

  private func line(_ name: String, _ secret: String, models: Set<String>? = nil) -> String {
    AccessToken(
      name: name, secret: secret, tenant: "t-\(name)", models: models, requestsPerMinute: 60
    ).line + "\n"
  }

  @Test func aTokenIsKnownByItsHashAlone() throws {
    let text = "# clients\n\n" + line("a", "secret-a", models: ["x", "y"]) + line("b", "secret-b")
    #expect(!text.contains("secret-a"))
    let file = try file(try write(text))
    let token = try #require(file.token("secret-a"))
    #expect(token.name == "a")
    #expect(token.tenant == "t-a")
    #expect(token.requestsPerMinute == 60)
    #expect(token.allows(model: "x"))
    #expect(!token.allows(model: "z"))
    #expect(try #require(file.token("secret-b")).allows(model: "z"))
    #expect(file.token("secret-c") == nil)
    #expect(file.token(token.digest.hexadecimal) == nil)
  }

  @Test func onlyTheSixthColumnMakesAnOperator() throws {
    let boss = AccessToken(
      name: "boss", secret: "b", tenant: "t", models: nil, requestsPerMinute: nil, isOperator: true)
    let file = try file(try write(line("a", "a") + boss.line + "\n"))
    #expect(try #require(file.token("b")).isOperator)
    #expect(try #require(file.token("a")).isOperator == false)
    #expect(boss.line.hasSuffix(" * * operator"))
  }

  @Test(arguments: [0o644, 0o660, 0o602])
  func aFileOpenToOthersIsRefused(mode: Int) throws {
    let path = try write(line("a", "s"), mode: mode)
    #expect {
      try file(path)
    } throws: { "\($0)".contains("chmod 600") }
  }

  @Test(arguments: [
    "a b c\n", "a 12 t * *\n", "a \(String(repeating: "g", count: 64)) t * *\n",
    "a \(String(repeating: "0", count: 64)) t * 0\n",
    "a \(String(repeating: "0", count: 64)) t * 1 root\n",
    "a \(String(repeating: "0", count: 64)) t * 1 operator more\n",
  ])
  func aWrongLineIsNamedByItsNumber(text: String) throws {
    let path = try write("# first\n" + text)
    #expect {
      try file(path)
    } throws: { "\($0)".contains("tokens:2:") }
  }

  @Test func moreTokensThanTheLimitAreRefused() throws {
    let path = try write(line("a", "1") + line("b", "2"))
    #expect(throws: GatewayError.self) { try file(path, tokensMax: 1) }
  }

  @Test func aChangedFileIsReadAnew() throws {
    let path = try write(line("a", "one"))
    let file = try file(path)
    #expect(file.token("one") != nil)
    _ = try write(line("a", "another"))
    #expect(file.token("one") == nil)
    #expect(file.token("another") != nil)
  }

  @Test func anUnusableChangeLeavesTheTokensAsTheyWere() throws {
    let file = try file(try write(line("a", "one")))
    _ = try write("nonsense\n")
    #expect(file.token("one") != nil)
    _ = try write(line("a", "three-letters"), mode: 0o644)
    #expect(file.token("three-letters") == nil)
    #expect(file.token("one") != nil)
  }

  @Test func madeSecretsDiffer() {
    let secrets = Set((0..<100).map { _ in AccessToken.makeSecret() })
    #expect(secrets.count == 100)
    #expect(secrets.allSatisfy { $0.utf8.count == 46 && $0.hasPrefix("rk-") })
  }

  @Test func theRateFillsEvenly() {
    let start = ContinuousClock.now
    var limit = RateLimit(perMinute: 2, now: start)
    #expect(limit.take(now: start) == nil)
    #expect(limit.take(now: start) == nil)
    #expect(limit.take(now: start) == .seconds(30))
    #expect(limit.take(now: start + .seconds(15)) == .seconds(15))
    #expect(limit.take(now: start + .seconds(30)) == nil)
    #expect(limit.take(now: start + .seconds(30)) != nil)
    // A long rest gives no more than a minute's worth.
    #expect(limit.take(now: start + .seconds(3_600)) == nil)
    #expect(limit.take(now: start + .seconds(3_600)) == nil)
    #expect(limit.take(now: start + .seconds(3_600)) != nil)
  }
}
