import Foundation
import Ledger
import Logging
import RerankdProtocol
import TestSupport
import Testing
import ZeroMQ

@testable import QueueRole

/// The loop's last turns, entered in a known state: a test is the loop's thread until `run`.
@Suite struct ShellClosingTests {
  @Test func cancelThatIsReadLastIsOnDiskWhenTheLoopEnds() throws {
    let folder = try TemporaryFolder("closing")
    let stays = try close(folder.path("stays.sqlite")) { _, _ in }
    #expect(stays == 1)
    let withdrawn = try close(folder.path("withdrawn.sqlite")) { client, call in
      try client.send(Envelope(callID: call, .cancel))
    }
    #expect(withdrawn == 0)
  }

  /// A queue has taken a rerank that is cancelled with its call, and shuts down with unread what the
  /// client says now.
  /// - Returns: how many jobs still wait in the ledger.
  private func close(
    _ path: String, saying last: (TestClient, UInt64) throws -> Void
  ) throws -> Int {
    var configuration = QueueConfiguration(models: [
      CatalogueModel(name: Sample.model, contextTokens: 512, reservedTokens: 0, images: false)
    ])
    configuration.ledger = LedgerConfiguration(path: path)
    configuration.shell.producersEndpoint = "tcp://127.0.0.1:*"
    configuration.shell.workersEndpoint = "tcp://127.0.0.1:*"
    configuration.shell.peers.peersMax = 64
    let (ledger, recovered) = try Ledger.open(configuration.ledger, shard: 0, wallMs: 0)
    var clock = LoopClock()
    let core = QueueCore(
      configuration: configuration, recovered: recovered, shard: 0,
      moment: clock.moment(atMs: LoopClock.monotonicMs))
    let mailbox = LoopMailbox()
    let loop = QueueLoop(
      configuration, core: core, ledger: ledger, sockets: try QueueSockets(configuration.shell),
      keys: nil, mailbox: mailbox, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })

    let client = try TestClient(loop.sockets.endpoints.producers)
    var request = RerankCall()
    request.job = try Sample.job()
    request.cancelWithCall = true
    let call = try client.open(.rerank, request)
    try waitForMessage(loop)
    try loop.sockets.drain(.producers, configuration.shell) { received in
      guard case .message(let frames, from: _) = received else { return }
      loop.peers.receive(frames, on: .producers, nowMs: loop.nowMs, into: &loop.actions)
    }
    loop.performActions()
    loop.checkDrained()
    loop.admitChecked()
    #expect(loop.peers.openCalls.count == 1)

    try last(client, call)
    // So that there is something to wait for in any case.
    try client.send(.ping)
    try waitForMessage(loop)
    mailbox.post(.shutDown)
    try loop.run()
    ledger.close()
    let (reopened, left) = try Ledger.open(configuration.ledger, shard: 0, wallMs: 0)
    reopened.close()
    return left.liveJobs.count
  }

  private func waitForMessage(_ loop: QueueLoop) throws {
    let deadline = ContinuousClock.now + .seconds(10)
    repeat {
      guard ContinuousClock.now < deadline else { throw TestTimeout("nothing came for 10 s") }
      try loop.sockets.poller.wait(timeout: .milliseconds(100))
    } while !loop.sockets.poller.events(of: loop.sockets.producers).contains(.readable)
  }
}
