import TestSupport
import Testing
import ZeroMQ

@testable import QueueRole

@Suite struct ShellConfigurationTests {
  private func problem(_ change: (inout ShellConfiguration) -> Void) -> String? {
    var configuration = ShellConfiguration()
    change(&configuration)
    return configuration.firstProblem?.key
  }

  @Test func defaultsWork() {
    #expect(problem { _ in } == nil)
  }

  @Test func listeningBeyondThisMachineNeedsAKeyOrToBeSaidTwice() {
    let everywhere = "tcp://0.0.0.0:7801"
    #expect(problem { $0.producersEndpoint = everywhere } == "shell.producersEndpoint")
    #expect(problem { $0.workersEndpoint = everywhere } == "shell.workersEndpoint")
    #expect(problem { $0.bareEndpoint = everywhere } == "shell.bareEndpoint")
    #expect(
      problem {
        $0.producersEndpoint = everywhere
        $0.insecureListen = true
      } == "shell.producersEndpoint")
    #expect(
      problem {
        $0.producersEndpoint = everywhere
        $0.insecureListen = true
        $0.insecureListenConfirmed = true
      } == nil)
    #expect(
      problem {
        $0.producersEndpoint = everywhere
        $0.workersEndpoint = everywhere
        $0.bareEndpoint = everywhere
        $0.curveSecretKeyPath = "key"
        $0.authorizedKeysPath = "keys"
      } == nil)
    // Whoever knows the public key could do everything.
    #expect(
      problem {
        $0.bareEndpoint = everywhere
        $0.curveSecretKeyPath = "key"
      } == "shell.bareEndpoint")
  }

  @Test func nonsenseIsNamed() {
    #expect(problem { $0.workersEndpoint = "nowhere" } == "shell.workersEndpoint")
    #expect(problem { $0.authorizedKeysPath = "keys" } == "shell.authorizedKeysPath")
    #expect(problem { $0.authorizedKeysInterval = .zero } == "shell.authorizedKeysInterval")
    #expect(problem { $0.authorizedKeysMax = 0 } == "shell.authorizedKeysMax")
    #expect(problem { $0.handshakeTimeout = .zero } == "shell.handshakeTimeout")
    #expect(problem { $0.drainMessagesMax = 0 } == "shell.drainMessagesMax")
    #expect(problem { $0.peers.forgottenMax = 0 } == "shell.peers.forgottenMax")
    #expect(problem { $0.socketReceiveMessagesMax = 0 } == "shell.socketReceiveMessagesMax")
    #expect(problem { $0.bareReceiveMessagesMax = 0 } == "shell.bareReceiveMessagesMax")
    #expect(problem { $0.lapse = .zero } == "shell.lapse")
    #expect(problem { $0.messageBytesTarget = 2 << 20 } == "shell.messageBytesTarget")
    #expect(problem { $0.outbox.bytesPerPeerMax = 1 << 20 } == "shell.outbox.bytesPerPeerMax")
  }

  @Test func outboxHasRoomForWhatAConsumerMayHold() {
    var configuration = QueueConfiguration(models: CoreHarness.models)
    #expect(configuration.firstProblem == nil)
    configuration.deliveryBytesMax = 90 << 20
    #expect(configuration.firstProblem?.key == "deliveryBytesMax")
    configuration.deliveryBytesMax = 0
    #expect(configuration.firstProblem?.key == "deliveryBytesMax")
  }

  @Test func bareIntakeHoldsFewFramesOfAConnection() throws {
    var configuration = ShellConfiguration()
    configuration.producersEndpoint = "tcp://127.0.0.1:*"
    configuration.workersEndpoint = "tcp://127.0.0.1:*"
    configuration.bareEndpoint = "tcp://127.0.0.1:*"
    configuration.peers.peersMax = 8
    let sockets = try QueueSockets(configuration)
    var options = SocketOptions()
    options.queuesWithoutPeer = true
    options.sendMessagesMax = 1
    options.linger = .zero
    let sender = try Socket(.push, in: Context(), options: options)
    try sender.connect(Endpoint(try #require(sockets.endpoints.bare)))
    let frame = [UInt8](repeating: 0, count: 8 << 20)
    var sent = 0
    var quietSince = ContinuousClock.now
    // Nobody reads; it is over when the connection has taken nothing for a while.
    while sent < 20, ContinuousClock.now - quietSince < .milliseconds(300) {
      guard try sender.send([frame]) == .sent else { continue }
      sent += 1
      quietSince = .now
    }
    // Two in the receiver's queue, one half read, as many on the sender's side, and the kernel's
    // buffers.
    #expect((2...16).contains(sent))
  }
}
