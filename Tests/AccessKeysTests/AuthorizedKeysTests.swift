import Foundation
import Glibc
import TestSupport
import Testing
import ZeroMQ

@testable import AccessKeys

@Suite struct AuthorizedKeysTests {
  private let one = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
  private let other = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"

  private func keys(_ text: String) throws -> AuthorizedKeys {
    try AuthorizedKeys(text: text, keysMax: 3)
  }

  private func problem(_ text: String) -> String? {
    do {
      _ = try keys(text)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func linesNameKeysRolesAndTenants() throws {
    let keys = try keys(
      """
      # who may come in

      shop  producer \(one) tenant=shop,test # since May
      gpu-1\tworker\t\(other)
      """)
    #expect(keys.keys.map(\.name) == ["shop", "gpu-1"])
    #expect(keys[one]?.role == .producer)
    #expect(keys[one]?.tenants == .only(["shop", "test"]))
    #expect(keys[other]?.role == .worker)
    #expect(keys["nobody's"] == nil)
  }

  @Test func producerWithoutTenantsHasTheDefaultOne() throws {
    let tenants = try #require(try keys("p producer \(one)")[one]?.tenants)
    #expect(tenants.contains("default") && !tenants.contains("shop"))
    let all = try #require(try keys("p producer \(one) tenant=*")[one]?.tenants)
    #expect(all.contains("shop"))
  }

  @Test(arguments: [
    ("a producer", "line 1: expected NAME ROLE KEY"),
    ("\na king KEY", "line 2: \"king\" is none of the roles: producer, worker, control"),
    ("a worker short", "line 1: "),
    ("a/b worker KEY", "line 1: a key's name has"),
    ("a worker KEY tenant=x", "line 1: tenants are for producers"),
    ("a producer KEY tenant=", "line 1: tenants are 1 to"),
    ("a producer KEY tenant=a,*", "line 1: tenants are 1 to"),
    ("a producer KEY tenants=a", "line 1: \"tenants=a\" is not understood"),
    ("a producer KEY tenant=a tenant=b", "line 1: \"tenant=b\" is not understood"),
    ("a worker KEY\nb worker KEY", "line 2: this key is there already, as \"a\""),
    ("a worker KEY\na worker OTHER", "line 2: there is a key \"a\" already"),
  ])
  func whatIsWrongIsSaidWithItsLine(text: String, message: String) throws {
    let text = text.replacing("KEY", with: one).replacing("OTHER", with: other)
    #expect(problem(text)?.hasPrefix(message) == true, "\(problem(text) ?? "nothing")")
  }

  @Test func secretKeysInTheWrongPlaceAreNotShown() throws {
    // The third word alone may be a key, and none of it is shown.
    let secret = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh"
    #expect(problem("a worker \(secret)")?.contains(secret) == false)
  }

  @Test func moreKeysThanMayBeAreRefused() throws {
    let lines = try (0..<4).map { "k\($0) worker \(try CurveKeyPair.generate().publicKey.z85)" }
    #expect(problem(lines[..<3].joined(separator: "\n")) == nil)
    #expect(problem(lines.joined(separator: "\n")) == "line 4: there are more than 3 keys")
  }

  @Test func lineOfAKeyIsReadAsTheSame() throws {
    let key = try CurvePublicKey(z85: one)
    let tenants = TenantScope.only(["b", "a"])
    for wanted in [
      try AuthorizedKey(name: "p", role: .producer, publicKey: key),
      try AuthorizedKey(name: "p", role: .producer, publicKey: key, tenants: tenants),
      try AuthorizedKey(name: "p", role: .producer, publicKey: key, tenants: .all),
      try AuthorizedKey(name: "w-1.x_Y", role: .worker, publicKey: key),
    ] {
      #expect(try AuthorizedKey(line: wanted.line) == wanted)
    }
  }
}

@Suite struct AuthorizedKeysFileTests {
  private let folder: TemporaryFolder
  private let file: AuthorizedKeysFile

  init() throws {
    folder = try TemporaryFolder("keys")
    file = AuthorizedKeysFile(folder.path("authorized_keys"), keysMax: 3)
  }

  private func key(_ name: String, _ role: AccessRole = .worker) throws -> AuthorizedKey {
    try AuthorizedKey(name: name, role: role, publicKey: try CurveKeyPair.generate().publicKey)
  }

  @Test func keysComeAndGoAndCommentsStay() throws {
    let (a, b) = (try key("a"), try key("b", .producer))
    try file.authorize(a)
    try file.authorize(b)
    #expect(try file.read().keys.keys == [a, b])
    let text = try String(contentsOfFile: file.path, encoding: .utf8)
    #expect(try file.revoke(["a"]) == [a])
    let left = try String(contentsOfFile: file.path, encoding: .utf8)
    #expect(left == text.replacing(a.line + "\n", with: ""))
    #expect(left.hasPrefix("#"))
  }

  @Test func whatCannotBeDoneChangesNothing() throws {
    let a = try key("a")
    #expect(throws: AccessKeysError.self) { try file.revoke(["a"]) }
    try file.authorize(a)
    let before = try file.read()
    for body in [
      { try file.authorize(try key("a")) },
      { try file.authorize(try AuthorizedKey(name: "b", role: .control, publicKey: a.publicKey)) },
      { try file.revoke(["a", "nobody"]) },
    ] as [() throws -> Void] {
      let error = #expect(throws: AccessKeysError.self) { try body() }
      #expect(error?.code == .conflict)
    }
    #expect(try file.revoke(["a"], dryRun: true) == [a])
    #expect(try file.read() == before)
    try file.authorize(try key("b"))
    try file.authorize(try key("c"))
    #expect(throws: AccessKeysError.self) { try file.authorize(try key("d")) }
  }

  @Test func listThatOthersMayWriteIsNeitherReadNorEdited() throws {
    try file.authorize(try key("a"))
    #expect(chmod(file.path, 0o666) == 0)
    #expect(throws: AccessKeysError.self) { try file.read() }
    #expect(throws: AccessKeysError.self) { try file.authorize(try key("b")) }
    #expect(throws: AccessKeysError.self) { try file.revoke(["a"]) }
  }

  @Test func lineThatIsWrongIsNamedWithItsFile() throws {
    try folder.write("a worker\n", to: "authorized_keys")
    let error = #expect(throws: AccessKeysError.self) { try file.read() }
    #expect(error?.message.contains("\(file.path): line 1: expected NAME ROLE KEY") == true)
  }
}
