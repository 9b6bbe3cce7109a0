internal import AccessKeys
internal import RerankdProtocol
internal import ZeroMQ

/// Where the queue listens, and how much its shell takes in, keeps and sends.
public struct ShellConfiguration: Sendable, Equatable {
  /// JobQueue, Replies and Control. A port of "*" takes a free one.
  public var producersEndpoint = DefaultEndpoint.producers
  /// Work.
  public var workersEndpoint = DefaultEndpoint.workers
  /// Bare jobs; nil: there is no such intake.
  public var bareEndpoint: String? = DefaultEndpoint.bareIntake
  /// A file with the queue's secret CURVE key: 40 characters of Z85.
  public var curveSecretKeyPath: String?
  /// The public keys that may come in, and as what (`AuthorizedKeysFile`). Without it whoever knows
  /// the queue's public key may do everything.
  public var authorizedKeysPath: String?
  public var authorizedKeysMax = AuthorizedKeysFile.keysMaxDefault
  /// How often that file is looked at for a change.
  public var authorizedKeysInterval: Duration = .seconds(1)
  /// A connection that has not proved its key by then is dropped.
  public var handshakeTimeout: Duration = .seconds(3)
  /// Both must be true to listen beyond this machine without CURVE, or without a list of keys: whoever
  /// reaches the port may then submit, read and cancel every job.
  public var insecureListen = false
  public var insecureListenConfirmed = false

  public var peers = PeerLimits()
  public var intake = IntakeLimits()
  public var batch = BatchLimits()
  public var outbox = OutboxLimits()
  public var pushReplies = PushReplyLimits()

  /// One turn of the loop reads so much from each socket before it serves the others.
  public var drainMessagesMax = 512
  public var drainBytesMax = 16 << 20
  /// So much of a turn is checked on the loop itself when the validator has nothing to do.
  public var inlineBytesMax = 256 << 10
  /// With so much at the validator the loop reads nothing more.
  public var validatorItemsMax = 4_096
  public var validatorBytesMax = 128 << 20
  /// Whole messages that libzmq holds for each connection, beyond these limits: to be sent, ...
  public var socketSendMessagesMax = 128
  /// ... received on the call sockets, of one payload frame each: 32 MiB of one peer at most, ...
  public var socketReceiveMessagesMax = 32
  /// ... and received on the bare intake. There a frame is a whole job, and libzmq reads one more, so
  /// that a connection takes up (2 + 1) × 63 MiB at most.
  public var bareReceiveMessagesMax = 2
  /// Bodies and results kept in memory until they are sent; what has no room is read back.
  public var bodyCacheBytesMax = 256 << 20
  public var resultCacheBytesMax = 128 << 20
  /// Many assignments, or deliveries, leave in messages of about this size.
  public var messageBytesTarget = 512 << 10
  /// How often free space and silent peers are looked at, and how often the timeouts of calls.
  public var spaceInterval: Duration = .seconds(1)
  public var sweepInterval: Duration = .milliseconds(50)
  /// When the queue itself has not listened for so long, nobody is blamed for silence: `Attention`.
  /// No longer than the times that it excuses: `reattachGraceMs` and `peers.silence`.
  public var lapse: Duration = .seconds(1)
  /// How long a shutdown waits for answers to leave.
  public var shutdownGrace: Duration = .seconds(5)

  public init() {}

  /// How many files the process must be allowed to open: two sockets with so many peers each, and
  /// ledger, log and the sockets' own.
  public var openFilesMax: Int { 2 * peers.peersMax + Self.filesBeside }

  private static let filesBeside = 256
}

extension ShellConfiguration {
  /// The first value that cannot work: its key and what is wanted there; nil when all is well.
  var firstProblem: (key: String, message: String)? {
    let endpoints = [
      ("shell.producersEndpoint", producersEndpoint),
      ("shell.workersEndpoint", workersEndpoint),
      ("shell.bareEndpoint", bareEndpoint ?? DefaultEndpoint.bareIntake),
    ]
    let asksForKeys = curveSecretKeyPath != nil && authorizedKeysPath != nil
    for (key, text) in endpoints {
      let endpoint: Endpoint
      do {
        endpoint = try Endpoint(text)
      } catch {
        return (key, error.message)
      }
      if !endpoint.isLoopbackOrIPC, !asksForKeys, !(insecureListen && insecureListenConfirmed) {
        return (
          key,
          "'\(text)' can be reached from other machines, and "
            + (curveSecretKeyPath == nil
              ? "there is no CURVE"
              : "everybody who knows the queue's public key could do everything")
            + ": name both a curve_secret_key_file and an authorized_keys_file under queue.sockets, "
            + "listen on loopback or ipc, or allow it twice, by insecure: true under queue.sockets "
            + "and by --insecure"
        )
      }
    }
    if authorizedKeysPath != nil, curveSecretKeyPath == nil {
      return (
        "shell.authorizedKeysPath",
        "keys are asked for with CURVE alone: name a curve_secret_key_file under queue.sockets"
      )
    }
    if authorizedKeysInterval < .milliseconds(1) {
      return ("shell.authorizedKeysInterval", "must be at least 1 ms")
    }
    if handshakeTimeout < .milliseconds(1) {
      return ("shell.handshakeTimeout", "must be at least 1 ms")
    }
    for (key, value) in positiveValues where value < 1 {
      return ("shell.\(key)", "must be at least 1, not \(value)")
    }
    if lapse < .milliseconds(1) { return ("shell.lapse", "must be at least 1 ms") }
    if messageBytesTarget > peers.wire.frameBytesMax {
      return (
        "shell.messageBytesTarget", "must not exceed frameBytesMax, \(peers.wire.frameBytesMax)"
      )
    }
    if outbox.bytesPerPeerMax < intake.workerCreditBytesMax {
      return (
        "shell.outbox.bytesPerPeerMax",
        "must not be below intake.workerCreditBytesMax, which one worker may be sent at once"
      )
    }
    return nil
  }

  private var positiveValues: [(String, Int)] {
    [
      ("peers.peersMax", peers.peersMax), ("peers.forgottenMax", peers.forgottenMax),
      ("peers.assemblingBytesPerPeerMax", peers.assemblingBytesPerPeerMax),
      ("peers.assemblingBytesMax", peers.assemblingBytesMax),
      ("intake.documentsMax", intake.documentsMax),
      ("intake.documentTextBytesMax", intake.documentTextBytesMax),
      ("intake.requestBytesMax", intake.requestBytesMax),
      ("intake.submitJobsMax", intake.submitJobsMax),
      ("intake.workerCreditJobsMax", intake.workerCreditJobsMax),
      ("intake.workerCreditBytesMax", intake.workerCreditBytesMax),
      ("intake.resultBytesMax", intake.resultBytesMax),
      ("batch.writesMax", batch.writesMax), ("batch.writeBytesMax", batch.writeBytesMax),
      ("batch.readsMax", batch.readsMax), ("batch.sealedMax", batch.sealedMax),
      ("outbox.messagesMax", outbox.messagesMax), ("outbox.bytesMax", outbox.bytesMax),
      ("pushReplies.endpointsMax", pushReplies.endpointsMax),
      ("pushReplies.messagesMax", pushReplies.messagesMax),
      ("pushReplies.bytesMax", pushReplies.bytesMax),
      ("authorizedKeysMax", authorizedKeysMax),
      ("drainMessagesMax", drainMessagesMax), ("drainBytesMax", drainBytesMax),
      ("validatorItemsMax", validatorItemsMax), ("validatorBytesMax", validatorBytesMax),
      ("socketSendMessagesMax", socketSendMessagesMax),
      ("socketReceiveMessagesMax", socketReceiveMessagesMax),
      ("bareReceiveMessagesMax", bareReceiveMessagesMax),
      ("messageBytesTarget", messageBytesTarget),
    ]
  }
}
