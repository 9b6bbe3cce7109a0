import AccessKeys
import Foundation
import RerankdProtocol
import SwiftProtobuf
import TestSupport
import Testing
import ZeroMQ

@testable import QueueRole

/// A queue with a CURVE key and a list of keys; real sockets.
@Suite(.serialized) struct AccessServiceTests {
  private let queue: TestQueue
  private let list: AuthorizedKeysFile
  private let queueKey: CurvePublicKey

  init() throws {
    let keys = try CurveKeyPair.generate()
    queueKey = keys.publicKey
    let files = try TemporaryFolder("queue-keys")
    let (secret, authorized) = (files.path("queue.key"), files.path("authorized_keys"))
    try SecretKeyFile.write(keys.secretKey, to: secret)
    list = AuthorizedKeysFile(authorized)
    queue = try TestQueue { [files] configuration in
      _ = files
      configuration.shell.curveSecretKeyPath = secret
      configuration.shell.authorizedKeysPath = authorized
      configuration.shell.authorizedKeysInterval = .milliseconds(20)
      configuration.shell.handshakeTimeout = .milliseconds(300)
      configuration.reattachGraceMs = 60_000
    }
  }

  /// A key of its own, and how it speaks to the queue.
  private struct Identity: Sendable {
    var keys: CurveKeyPair
    var security: SocketOptions.Security
  }

  private func identity() throws -> Identity {
    let keys = try CurveKeyPair.generate()
    return Identity(keys: keys, security: .curveClient(keys, serverKey: queueKey))
  }

  private func authorized(
    _ name: String, _ role: AccessRole, tenants: TenantScope? = nil
  ) throws -> Identity {
    let identity = try identity()
    try list.authorize(
      try AuthorizedKey(
        name: name, role: role, publicKey: identity.keys.publicKey, tenants: tenants))
    return identity
  }

  private func status(_ client: TestClient) throws -> StatusResponse {
    try client.call(.status, StatusRequest(), StatusResponse.self)
  }

  private func reason(_ body: () throws -> Void) -> String? {
    let error = #expect(throws: CallError.self) { try body() }
    return error?.details.reason
  }

  @Test func jobRunsAmongKeysThatMay() async throws {
    let producer = try authorized("p", .producer)
    let (worker, control) = (try authorized("w", .worker), try authorized("c", .control))
    try await queue.run { endpoints in
      let client = try TestClient(endpoints.producers, security: producer.security)
      var request = RerankCall()
      request.job = try Sample.job()
      let call = try client.open(.rerank, request)
      let attached = try TestWorker(endpoints.workers, security: worker.security)
      try attached.complete(try attached.assignments())
      #expect(try client.answer(call, JobOutcome.self).state == .succeeded)

      let operator_ = try TestClient(endpoints.producers, security: control.security)
      let workers = try operator_.call(
        .listWorkers, ListWorkersRequest(), ListWorkersResponse.self
      ).workers
      #expect(workers.map(\.workerID) == ["w/w1"] && workers.map(\.keyName) == ["w"])
    }
  }

  @Test func rolesEndWhereTheyShould() async throws {
    let producer = try authorized("p", .producer, tenants: .only(["mine"]))
    let (worker, control) = (try authorized("w", .worker), try authorized("c", .control))
    try await queue.run { endpoints in
      let client = try TestClient(endpoints.producers, security: producer.security)
      #expect(reason { _ = try status(client) } == "ROLE_DENIED")
      let byWorker = try TestClient(endpoints.producers, security: worker.security)
      #expect(
        reason {
          _ = try byWorker.answer(
            try byWorker.open(.submit, try Sample.submit(Sample.job())), SubmitResponse.self)
        } == "ROLE_DENIED")
      let byProducer = try TestClient(endpoints.workers, security: producer.security)
      var attach = WorkerMessage()
      attach.attach.workerID = "w1"
      #expect(
        reason {
          let stream = try byProducer.open(.attach, attach, end: false)
          _ = try byProducer.message(stream, QueueMessage.self)
        } == "ROLE_DENIED")

      // Another tenant's job is as if it were not there.
      let operator_ = try TestClient(endpoints.producers, security: control.security)
      let id = try operator_.answer(
        try operator_.open(.submit, try Sample.submit(Sample.job { $0.tenant = "theirs" })),
        SubmitResponse.self
      ).outcomes[0].jobID
      var get = GetRequest()
      get.jobID = id
      for withRequest in [false, true] {
        get.withRequest = withRequest
        #expect(
          reason { _ = try client.call(.get, get, JobDetails.self) } == "JOB_UNKNOWN")
      }
      var cancel = CancelRequest()
      cancel.jobID = id
      #expect(
        reason { _ = try client.call(.cancel, cancel, CancelResponse.self) } == "JOB_UNKNOWN")
      #expect(try operator_.call(.get, get, JobDetails.self).state == .ready)
      var receive = ReceiveRequest()
      receive.tenant = "theirs"
      receive.channel = "c"
      #expect(
        reason {
          let stream = try client.open(.receive, receive, end: false)
          _ = try client.message(stream, ReceiveResponse.self)
        } == "TENANT_DENIED")
      let outcomes = try client.answer(
        try client.open(
          .submit,
          try Sample.submit(Sample.job { $0.tenant = "theirs" }, Sample.job { $0.tenant = "mine" })),
        SubmitResponse.self
      ).outcomes
      #expect(outcomes[0].error.details.reason == "TENANT_DENIED" && outcomes[1].jobID != 0)
      #expect(try status(operator_).counters.permissionDenied >= 4)
    }
  }

  @Test(arguments: ["another key", "no key", "another queue's key"])
  func unauthorisedPeerSeesNothingAndChangesNothing(who: String) async throws {
    let control = try authorized("c", .control)
    let keys = try CurveKeyPair.generate()
    let security: SocketOptions.Security =
      switch who {
      case "no key": .none
      case "another key": try identity().security
      default: .curveClient(control.keys, serverKey: keys.publicKey)
      }
    try await queue.run { endpoints in
      let job = try Sample.submit(Sample.job())
      let strangers = try [endpoints.producers, endpoints.workers].map {
        try TestClient($0, security: security)
      }
      for stranger in strangers { _ = try stranger.open(.submit, job) }
      var options = SocketOptions()
      options.security = security
      options.queuesWithoutPeer = true
      options.linger = .zero
      let bare = try Socket(.push, in: Context(), options: options)
      try bare.connect(Endpoint(try #require(endpoints.bare)))
      _ = try bare.send([try Sample.job().serializedBytes()])
      // Handshakes take turns: this one comes after theirs.
      let operator_ = try TestClient(endpoints.producers, security: control.security)
      _ = try status(operator_)
      for stranger in strangers {
        #expect(throws: TestTimeout.self) { try stranger.next(within: .milliseconds(300)) }
      }
      let counters = try status(operator_).counters
      #expect(counters.submitted == 0 && counters.bareAccepted == 0 && counters.refused == 0)
      #expect((counters.permissionDenied >= 3) == (who == "another key"))
    }
  }

  @Test func bareJobsAreForProducersOfTheirTenants() async throws {
    let producer = try authorized("p", .producer, tenants: .only(["mine"]))
    let (worker, control) = (try authorized("w", .worker), try authorized("c", .control))
    try await queue.run { endpoints in
      let context = try Context()
      let intake = try [producer, worker].map { identity in
        var options = SocketOptions()
        options.security = identity.security
        options.queuesWithoutPeer = true
        let socket = try Socket(.push, in: context, options: options)
        try socket.connect(Endpoint(try #require(endpoints.bare)))
        return socket
      }
      for tenant in ["mine", "theirs"] {
        for socket in intake {
          let job = try Sample.job { $0.tenant = tenant }
          #expect(try socket.send([try job.serializedBytes()]) == .sent)
        }
      }
      let operator_ = try TestClient(endpoints.producers, security: control.security)
      let deadline = ContinuousClock.now + .seconds(10)
      var counters = try status(operator_).counters
      while counters.bareAccepted + counters.bareRejected + counters.permissionDenied < 4,
        ContinuousClock.now < deadline
      {
        counters = try status(operator_).counters
      }
      #expect(counters.bareAccepted == 1)
      #expect(counters.bareRejected == 1)
      #expect(counters.permissionDenied == 2)
    }
  }

  @Test func revocationEndsWhatIsOpenAndGivesBackWhatAWorkerHeld() async throws {
    let (lost, kept) = (try authorized("lost", .worker), try authorized("kept", .worker))
    let control = try authorized("c", .control)
    let file = list
    try await queue.run { endpoints in
      let operator_ = try TestClient(endpoints.producers, security: control.security)
      let worker = try TestWorker(endpoints.workers, id: "a", security: lost.security)
      let id = try operator_.answer(
        try operator_.open(.submit, try Sample.submit(Sample.job())), SubmitResponse.self
      ).outcomes[0].jobID
      let held = try worker.assignments()
      #expect(held.map(\.lease.jobID) == [id])
      let other = try TestWorker(endpoints.workers, id: "b", security: kept.security)

      try file.revoke(["lost"])
      // At once, although the queue waits a minute for workers that went by themselves; and unspent.
      let taken = try other.assignments()
      #expect(taken.map(\.lease.jobID) == [id] && taken.map(\.lease.attempt) == [2])
      #expect(
        reason { while true { _ = try worker.client.message(worker.stream, QueueMessage.self) } }
          == "KEY_NOT_AUTHORIZED")
      var get = GetRequest()
      get.jobID = id
      get.withAttempts = true
      let details = try operator_.call(.get, get, JobDetails.self)
      #expect(details.attemptRecords.map(\.end) == [.released])

      // The connection that is left, and a new one, are of no use; nor is what it was given.
      try worker.complete(held)
      #expect(
        reason {
          let call = try worker.client.open(.listModels, ListModelsRequest())
          _ = try worker.client.answer(call, ListModelsResponse.self)
        } == "KEY_NOT_AUTHORIZED")
      let again = try TestClient(endpoints.workers, security: lost.security)
      _ = try again.open(.listModels, ListModelsRequest())
      #expect(throws: TestTimeout.self) { try again.next(within: .milliseconds(300)) }
      #expect(try operator_.call(.get, get, JobDetails.self).state == .leased)
      try other.complete(taken)
      #expect(try other.recorded(1) == [id])
    }
  }

  @Test func otherKeyCannotTakeAWorkersPlaceOrItsJobs() async throws {
    let (one, two) = (try authorized("one", .worker), try authorized("two", .worker))
    let control = try authorized("c", .control)
    try await queue.run { endpoints in
      let operator_ = try TestClient(endpoints.producers, security: control.security)
      let id = try operator_.answer(
        try operator_.open(.submit, try Sample.submit(Sample.job())), SubmitResponse.self
      ).outcomes[0].jobID
      let owner = try TestWorker(endpoints.workers, id: "same", security: one.security)
      let held = try owner.assignments()
      // The same name, the lease that it saw somehow, and a result for it.
      let thief = try TestWorker(
        endpoints.workers, id: "same", security: two.security, held: held.map(\.lease))
      #expect(thief.attached.adoptedJobIds.isEmpty)
      try thief.complete(held, result: [6, 6, 6])
      #expect(try thief.recorded(1) == [id])
      var get = GetRequest()
      get.jobID = id
      #expect(try operator_.call(.get, get, JobDetails.self).state == .leased)
      try owner.complete(held, result: [8, 1])
      #expect(try owner.recorded(1) == [id])
      #expect(Array(try operator_.call(.get, get, JobDetails.self).outcome.result) == [8, 1])
    }
  }

  @Test func handshakeFloodAndHalfOpenConnectionsKeepNobodyOut() async throws {
    let control = try authorized("c", .control)
    let queueKey = queueKey
    try await queue.run { endpoints in
      let port = try #require(UInt16(endpoints.producers.split(separator: ":").last ?? ""))
      // Some say nothing, some half of a greeting, and some keep offering keys nobody knows.
      let half = try (0..<100).map { number in
        let connection = try RawTCP(port: port)
        if number % 2 == 0 { try connection.send([0xFF, 0, 0, 0, 0]) }
        return connection
      }
      var strangers: [TestClient] = []
      for _ in 0..<50 {
        let security = SocketOptions.Security.curveClient(
          try CurveKeyPair.generate(), serverKey: queueKey)
        let client = try TestClient(endpoints.producers, security: security)
        _ = try client.open(.status, StatusRequest())
        strangers.append(client)
      }
      let operator_ = try TestClient(endpoints.producers, security: control.security)
      let began = ContinuousClock.now
      #expect(try status(operator_).counters.submitted == 0)
      #expect(ContinuousClock.now - began < .seconds(5))
      for connection in half { #expect(connection.isEnded(within: .seconds(5))) }
      #expect(try status(operator_).counters.permissionDenied >= 50)
    }
  }

  @Test func giantAndSlowFramesBeforeTheHandshakeEndTheirConnection() async throws {
    let control = try authorized("c", .control)
    try await queue.run { endpoints in
      let port = try #require(UInt16(endpoints.producers.split(separator: ":").last ?? ""))
      let giant = try RawTCP(port: port)
      try giant.send(RawTCP.curveGreeting)
      // A long command of eight exabytes.
      try giant.send([0x06, 0x7F] + [UInt8](repeating: 0xFF, count: 7))
      let slow = try RawTCP(port: port)
      try slow.send(RawTCP.curveGreeting)
      let operator_ = try TestClient(endpoints.producers, security: control.security)
      _ = try status(operator_)
      let deadline = ContinuousClock.now + .seconds(5)
      // A byte now and then does not keep a connection open that has not shown its key.
      while !slow.isEnded(within: .milliseconds(20)), ContinuousClock.now < deadline {
        try? slow.send([0x04])
      }
      #expect(slow.isEnded(within: .zero))
      #expect(giant.isEnded(within: .seconds(5)))
      _ = try status(operator_)
    }
  }
}
