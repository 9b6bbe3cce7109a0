import Testing
import ZeroMQ

@Suite struct SecurityTests {
  @Test(arguments: [
    "tcp://127.0.0.1:7801", "tcp://127.9.8.7:*", "tcp://[::1]:1", "tcp://localhost:80",
    "ipc:///tmp/rerankd", "inproc://zap",
  ])
  func endpointsOfThisMachineAreLocal(text: String) throws {
    #expect(try Endpoint(text).isLoopbackOrIPC)
  }

  @Test(arguments: [
    "tcp://*:7801", "tcp://0.0.0.0:7801", "tcp://10.0.0.1:7801", "tcp://127.evil.example:1",
    "tcp://127.0.0.1.example:1", "tcp://127.1:1", "tcp://[::]:1", "tcp://eth0:1",
    "tcp://127.0.0.1;10.0.0.1:1",
  ])
  func endpointsThatOthersReachAreNotLocal(text: String) throws {
    #expect(try !Endpoint(text).isLoopbackOrIPC)
  }

  @Test(arguments: ["", "127.0.0.1:7801", "tcp://127.0.0.1", "tcp://:1", "tcp://a:99999", "ipc://"])
  func textThatIsNoEndpointIsRefusedByName(text: String) {
    let error = #expect(throws: ZeroMQError.self) { try Endpoint(text) }
    #expect(error?.message.contains("'\(text)'") == true)
  }

  @Test func keyPairIsDerivedFromItsSecret() throws {
    let pair = try CurveKeyPair.generate()
    #expect(try CurveKeyPair(secretKey: pair.secretKey) == pair)
    #expect(try CurveKeyPair.generate() != pair)
  }

  @Test func secretKeyIsNeverShown() throws {
    let pair = try CurveKeyPair.generate()
    var dumped = ""
    dump(pair, to: &dumped)
    let shown = "\(pair) \(pair.secretKey) \(String(reflecting: pair)) \(dumped)"
    #expect(!shown.contains(pair.secretKey.z85))
    #expect(throws: ZeroMQError.self) { try CurveSecretKey(z85: "too short") }
  }

  @Test func clientWithTheRightServerKeyGetsThrough() throws {
    let server = try CurveKeyPair.generate()
    #expect(try exchange(server: server, knownKey: server.publicKey))
  }

  @Test func clientWithAnotherServerKeyIsShutOut() throws {
    let server = try CurveKeyPair.generate()
    #expect(try !exchange(server: server, knownKey: CurveKeyPair.generate().publicKey))
  }

  /// Whether a client that expects `knownKey` finds its server.
  private func exchange(server: CurveKeyPair, knownKey: CurvePublicKey) throws -> Bool {
    let context = try Context()
    var options = SocketOptions()
    options.linger = .zero
    options.security = .curveServer(server, zapDomain: nil)
    let router = try Socket(.router, in: context, options: options)
    options.security = .curveClient(try CurveKeyPair.generate(), serverKey: knownKey)
    let dealer = try Socket(.dealer, in: context, options: options)
    try dealer.connect(router.bind(Endpoint("tcp://127.0.0.1:*")))
    let poller = try Poller()
    poller.add(dealer, .writable)
    try poller.wait(timeout: knownKey == server.publicKey ? .seconds(10) : .milliseconds(300))
    guard try dealer.send([[1]]) == .sent else { return false }
    poller.remove(dealer)
    poller.add(router)
    try poller.wait(timeout: .seconds(10))
    return poller.events(of: router) == .readable
  }

  @Test func descriptorLimitIsCheckedWithAHelpfulError() throws {
    try Context.requireFileDescriptors(64)
    let error = #expect(throws: ZeroMQError.self) {
      try Context.requireFileDescriptors(Int(Int32.max))
    }
    #expect(error?.message.contains("ulimit -n") == true)
  }
}
