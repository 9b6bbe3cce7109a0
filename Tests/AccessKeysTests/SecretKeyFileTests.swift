import Glibc
import TestSupport
import Testing
import ZeroMQ

@testable import AccessKeys

@Suite struct SecretKeyFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("keys") }

  @Test func writtenKeyIsReadAgainAndNeverOverwritten() throws {
    let pair = try CurveKeyPair.generate()
    let path = folder.path("key")
    try SecretKeyFile.write(pair.secretKey, to: path)
    #expect(try SecretKeyFile.read(path) == pair)
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    let error = #expect(throws: AccessKeysError.self) {
      try SecretKeyFile.write(try CurveKeyPair.generate().secretKey, to: path)
    }
    #expect(error?.code == .conflict)
    #expect(try SecretKeyFile.read(path) == pair)
  }

  @Test func fileIsPrivateAndHoldsAKey() throws {
    let secret = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
    let path = try folder.writeSecret("\(secret)\n", to: "key")
    #expect(
      try SecretKeyFile.read(path).publicKey.z85 == "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
    #expect(chmod(path, 0o644) == 0)
    #expect(throws: AccessKeysError.self) { try SecretKeyFile.read(path) }
    #expect(throws: AccessKeysError.self) { try SecretKeyFile.read(folder.path("absent")) }
    for text in ["no key", "", "\(secret) \(secret)", "\(secret)x"] {
      let bad = try folder.writeSecret(text, to: "bad")
      let error = #expect(throws: AccessKeysError.self) { try SecretKeyFile.read(bad) }
      #expect(error?.code == .content)
      #expect("\(error as Any)".contains(secret) == false)
    }
  }

  @Test func clientSpeaksCurveWithTheQueuesKeyAndItsOwn() throws {
    let (queue, own) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
    let path = folder.path("key")
    try SecretKeyFile.write(own.secretKey, to: path)
    #expect(
      try SocketOptions.Security.client(queuePublicKey: queue.publicKey.z85, secretKeyFile: path)
        == .curveClient(own, serverKey: queue.publicKey))
    #expect(
      try SocketOptions.Security.client(queuePublicKey: nil, secretKeyFile: nil) == .none)
    guard
      case .curveClient(let fresh, serverKey: queue.publicKey) = try SocketOptions.Security.client(
        queuePublicKey: queue.publicKey.z85, secretKeyFile: nil)
    else {
      Issue.record("no CURVE")
      return
    }
    #expect(fresh != own)
    for (key, file) in [(nil, path), ("short", nil), (queue.publicKey.z85, folder.path("absent"))] {
      #expect(throws: AccessKeysError.self) {
        try SocketOptions.Security.client(queuePublicKey: key, secretKeyFile: file)
      }
    }
  }
}
