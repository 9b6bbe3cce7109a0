import Foundation
import Ledger
import RerankdProtocol
import SwiftProtobuf
import Synchronization
import TestSupport
import Testing
import ZeroMQ

@testable import QueueRole

/// The whole queue: real sockets, real ledger.
@Suite(.serialized) struct ShellServiceTests {
  private func submit(_ client: TestClient, _ jobs: [RerankJob]) throws -> [UInt64] {
    var request = SubmitRequest()
    request.jobs = jobs
    let response = try client.call(.submit, request, SubmitResponse.self)
    for outcome in response.outcomes where outcome.hasError {
      throw CallError(status: outcome.error) ?? CallError(.unknown, "no error")
    }
    return response.outcomes.map(\.jobID)
  }

  private func get(_ client: TestClient, _ job: UInt64) throws -> JobDetails {
    var request = GetRequest()
    request.jobID = job
    request.withRequest = true
    return try client.call(.get, request)
  }

  @Test func jobTravelsFromSubmitToAcknowledgedReply() async throws {
    try await TestQueue().run { endpoints in
      let producer = try TestClient(endpoints.producers)
      let job = try Sample.job { $0.replyChannel = "answers" }
      let ids = try submit(producer, [job, job])
      #expect(ids.count == 2)
      #expect(try get(producer, ids[0]).state == .ready)
      #expect(try get(producer, ids[0]).request == job.request)

      let worker = try TestWorker(endpoints.workers)
      #expect(worker.attached.epoch == 1)
      var assignments: [Assignment] = []
      while assignments.count < 2 { assignments += try worker.assignments() }
      #expect(assignments.map(\.lease.jobID).sorted() == ids.sorted())
      #expect(assignments.allSatisfy { $0.request == job.request && $0.remainingMs > 0 })
      try worker.complete(assignments, result: [8, 1, 2])
      #expect(try worker.recorded(2).sorted() == ids.sorted())

      let consumer = try TestClient(endpoints.producers)
      var receive = ReceiveRequest()
      receive.channel = "answers"
      receive.credit = 10
      let stream = try consumer.open(.receive, receive, end: false)
      var deliveries: [Delivery] = []
      while deliveries.count < 2 {
        deliveries += try consumer.message(stream, ReceiveResponse.self).deliveries
      }
      #expect(deliveries.allSatisfy { $0.outcome.state == .succeeded && $0.deliveryAttempt == 1 })
      #expect(deliveries.allSatisfy { Array($0.outcome.result) == [8, 1, 2] })
      var acknowledge = ReceiveRequest()
      acknowledge.acknowledged = deliveries.map { Acknowledgement($0.outcome) }
      for envelope in Envelope.messages(callID: stream, try acknowledge.serializedBytes()) {
        try consumer.send(envelope)
      }
      var recorded: [UInt64] = []
      while recorded.count < 2 {
        recorded += try consumer.message(stream, ReceiveResponse.self).recordedJobIds
      }
      #expect(try get(producer, ids[1]).delivery == .acknowledged)
    }
  }

  @Test func acknowledgementJustBeforeACancelCounts() async throws {
    try await TestQueue().run { endpoints in
      let producer = try TestClient(endpoints.producers)
      let worker = try TestWorker(endpoints.workers)
      let consumer = try TestClient(endpoints.producers)
      for _ in 0..<20 {
        let id = try submit(producer, [try Sample.job { $0.replyChannel = "answers" }])[0]
        try worker.complete(try worker.assignments())
        var receive = ReceiveRequest()
        receive.channel = "answers"
        receive.credit = 1
        let stream = try consumer.open(.receive, receive, end: false)
        // Nothing comes again that was acknowledged before.
        let deliveries = try consumer.message(stream, ReceiveResponse.self).deliveries
        #expect(deliveries.map(\.outcome.jobID) == [id])
        var acknowledge = ReceiveRequest()
        acknowledge.acknowledged = deliveries.map { Acknowledgement($0.outcome) }
        try consumer.send(
          Envelope(callID: stream, .message(payload: acknowledge.serializedBytes())),
          Envelope(callID: stream, .cancel))
        // Asked behind the CANCEL on the same connection.
        #expect(try get(consumer, id).delivery == .acknowledged)
      }
    }
  }

  @Test func rerankWaitsForItsOutcome() async throws {
    try await TestQueue().run { endpoints in
      let producer = try TestClient(endpoints.producers)
      let worker = try TestWorker(endpoints.workers)
      var request = RerankCall()
      request.job = try Sample.job()
      let call = try producer.open(.rerank, request)
      try worker.complete(try worker.assignments(), result: [8, 5])
      let outcome = try producer.answer(call, JobOutcome.self)
      #expect(outcome.state == .succeeded)
      #expect(Array(outcome.result) == [8, 5])
    }
  }

  @Test func restartKeepsEveryAcknowledgedJob() async throws {
    let queue = try TestQueue()
    let ids = Mutex<[UInt64]>([])
    try await queue.run { endpoints in
      let producer = try TestClient(endpoints.producers)
      let jobs = try submit(producer, Array(repeating: Sample.job(), count: 20))
      ids.withLock { $0 = jobs }
      // One is being worked on when the queue goes.
      #expect(try TestWorker(endpoints.workers, creditJobs: 1).assignments().count == 1)
    }
    try await queue.run { endpoints in
      let worker = try TestWorker(endpoints.workers)
      #expect(worker.attached.epoch == 2)
      var done: Set<UInt64> = []
      // The one that was leased waits for its worker first.
      while done.count < 19 {
        let assignments = try worker.assignments()
        // Bodies come from the ledger now.
        #expect(assignments.allSatisfy { !$0.request.isEmpty })
        try worker.complete(assignments)
        done.formUnion(assignments.map(\.lease.jobID))
      }
      #expect(done.isSubset(of: ids.withLock { Set($0) }))
    }
  }

  @Test func shutdownSendsStreamsAndWaitingCallsBack() async throws {
    let seen = Mutex<[StatusCode]>([])
    let holder = Mutex<TestClientBox?>(nil)
    try await TestQueue().run { endpoints in
      let client = try TestClient(endpoints.producers)
      var receive = ReceiveRequest()
      receive.channel = "answers"
      _ = try client.open(.receive, receive, end: false)
      var request = RerankCall()
      request.job = try Sample.job()
      _ = try client.open(.rerank, request)
      // Both are in the queue when this is answered.
      _ = try client.call(.status, StatusRequest(), StatusResponse.self)
      holder.withLock { $0 = TestClientBox(client: client) }
    }
    try holder.withLock { box in
      for _ in 0..<2 {
        guard case .status(let status, payload: _)? = try box?.client.next().body else { continue }
        seen.withLock { $0.append(StatusCode(wire: status.code)) }
      }
    }
    #expect(seen.withLock { $0 } == [.unavailable, .unavailable])
  }

  @Test func bareJobsAreTakenAndTheirOutcomesPushed() async throws {
    try await TestQueue().run { endpoints in
      let context = try Context()
      let replies = try Socket(.pull, in: context)
      let replyTo = try replies.bind(Endpoint("tcp://127.0.0.1:*"))
      var options = SocketOptions()
      options.queuesWithoutPeer = true
      let intake = try Socket(.push, in: context, options: options)
      try intake.connect(Endpoint(try #require(endpoints.bare)))
      let job = try Sample.job { $0.replyTo = replyTo.text }
      #expect(try intake.send([try job.serializedBytes()]) == .sent)
      #expect(try intake.send([[0xFF, 0xFF]]) == .sent)

      let worker = try TestWorker(endpoints.workers)
      try worker.complete(try worker.assignments(), result: [8, 9])
      let poller = try Poller()
      poller.add(replies)
      var outcome: JobOutcome?
      let deadline = ContinuousClock.now + .seconds(10)
      while outcome == nil, ContinuousClock.now < deadline {
        let bounds = Socket.MultipartBounds(framesMax: 1, bytesMax: 1 << 20)
        if case .message(let received) = try replies.receive(bounds: bounds) {
          outcome = try JobOutcome(serializedBytes: received.frames[0])
        } else {
          try poller.wait(timeout: .milliseconds(20))
        }
      }
      #expect(outcome.map { Array($0.result) } == [8, 9])
      let client = try TestClient(endpoints.producers)
      let status = try client.call(.status, StatusRequest(), StatusResponse.self)
      #expect(status.counters.bareAccepted == 1)
      #expect(status.counters.bareRejected == 1)
      #expect(status.counters.pushRepliesSent == 1)
    }
  }

  @Test func tenMegabytesTravelInFragmentsBothWays() async throws {
    try await TestQueue().run { endpoints in
      var request = Sample.request
      let text = String(repeating: "x", count: 1_000_000)
      request.documents = Array(repeating: Sample.content(text), count: 10)
      let job = try Sample.job(request)
      var submit = SubmitRequest()
      submit.jobs = [job]
      var head = CallHead()
      head.method = RerankdProtocol.Method.submit.rawValue
      let client = try TestClient(endpoints.producers)
      var window = SendWindow()
      for envelope in Envelope.opening(
        callID: 1, head, message: try submit.serializedBytes(), end: true)
      {
        while !window.take(envelope.payloadBytes) {
          guard case .window(let bytes) = try client.next().body else { continue }
          window.grant(bytes)
        }
        try client.send(envelope)
      }
      let id = try client.answer(1, SubmitResponse.self).outcomes[0].jobID
      #expect(id != 0)
      let worker = try TestWorker(endpoints.workers)
      #expect(try worker.assignments().first?.request == job.request)
    }
  }

  @Test func invalidJobHarmsNobodyElse() async throws {
    try await TestQueue().run { endpoints in
      let client = try TestClient(endpoints.producers)
      var bad = Sample.request
      bad.documents[1] = Content()
      let response = try client.answer(
        try client.open(.submit, try Sample.submit(Sample.job(bad), Sample.job())),
        SubmitResponse.self)
      #expect(response.outcomes[0].error.code == StatusCode.invalidArgument.rawValue)
      #expect(
        response.outcomes[0].error.details.violations.map(\.field)
          == ["jobs[0].request.documents[1]"])
      #expect(response.outcomes[1].jobID != 0)
    }
  }

  @Test func wrongSocketUnknownMethodAndUnknownVersionAreTold() async throws {
    try await TestQueue().run { endpoints in
      let client = try TestClient(endpoints.workers)
      #expect(throws: CallError.self) {
        try client.call(.status, StatusRequest(), StatusResponse.self)
      }
      var head = CallHead()
      head.method = "/rerankd.v1.JobQueue/Fly"
      try client.send(Envelope(callID: 77, flags: .end, .open(head, payload: [])))
      let error = #expect(throws: CallError.self) { try client.answer(77, StatusResponse.self) }
      #expect(error?.code == .unimplemented)
      var frames = Envelope.ping.frames()
      frames[0][2] = 99
      try client.sendRaw(frames)
      guard case .reject(let status) = try client.next().body else {
        Issue.record("not rejected")
        return
      }
      #expect(status.details.reason == "UNSUPPORTED_VERSION")
    }
  }

  @Test func garbageHarmsNobody() async throws {
    try await TestQueue().run { endpoints in
      let good = try TestClient(endpoints.producers)
      let bad = try TestClient(endpoints.producers)
      let badWorker = try TestClient(endpoints.workers)
      var random = SplitMix64(seed: 5)
      for round in 0..<1_000 {
        var frames = (0..<Int.random(in: 1...5, using: &random)).map { _ in
          (0..<Int.random(in: 0...64, using: &random)).map { _ in
            UInt8.random(in: .min ... .max, using: &random)
          }
        }
        if round % 2 == 0 {
          var header = Envelope(callID: 1 + UInt64(round % 4), .cancel).frames()[0]
          header[3] = UInt8.random(in: 0...10, using: &random)
          frames[0] = header
        }
        try (round % 3 == 0 ? badWorker : bad).sendRaw(frames)
      }
      // Its frame is larger than any may be, so libzmq ends the connection.
      try bad.sendRaw([[UInt8](repeating: 0, count: 2 << 20)])
      let job = try Sample.job()
      #expect(try submit(good, [job]).count == 1)
      let status = try good.call(.status, StatusRequest(), StatusResponse.self)
      #expect(status.counters.submitted == 1)
      #expect(status.counters.malformedMessages > 100)
    }
  }

  @Test func consumerThatDoesNotReadLosesItsStreamAndNobodyElseAnything() async throws {
    let queue = try TestQueue { configuration in
      configuration.shell.socketSendMessagesMax = 2
      configuration.shell.outbox.messagesMax = 4
      configuration.shell.messageBytesTarget = 64 << 10
      configuration.deliveryBytesMax = 64 << 20
    }
    try await queue.run { endpoints in
      let slow = try TestClient(endpoints.producers, receiveMessagesMax: 1)
      var receive = ReceiveRequest()
      receive.channel = "answers"
      receive.credit = 1_000
      _ = try slow.open(.receive, receive, end: false)

      // More than the kernel's buffers for a connection hold.
      let producer = try TestClient(endpoints.producers)
      let worker = try TestWorker(endpoints.workers)
      let result = [UInt8](repeating: 8, count: 1_000_000)
      let jobs = 40
      for _ in 0..<jobs {
        _ = try submit(producer, [try Sample.job { $0.replyChannel = "answers" }])
        try worker.complete(try worker.assignments(), result: result)
        _ = try worker.recorded(1)
      }
      let consumer = try TestClient(endpoints.producers)
      receive.credit = 1
      let stream = try consumer.open(.receive, receive, end: false)
      var received: Set<UInt64> = []
      while received.count < jobs {
        let message = try consumer.message(stream, ReceiveResponse.self)
        guard !message.deliveries.isEmpty else { continue }
        received.formUnion(message.deliveries.map(\.outcome.jobID))
        var more = ReceiveRequest()
        more.credit = 1
        more.acknowledged = message.deliveries.map { Acknowledgement($0.outcome) }
        try consumer.send(Envelope(callID: stream, .message(payload: more.serializedBytes())))
      }
      #expect(received.count == jobs)

      // Once it reads again, it is told as soon as it says something.
      var isTold = false
      let deadline = ContinuousClock.now + .seconds(10)
      try slow.send(.ping)
      while !isTold, ContinuousClock.now < deadline {
        guard let envelope = try? slow.next(within: .milliseconds(200)) else {
          // Full still when it was said.
          try slow.send(.ping)
          continue
        }
        isTold = envelope == .sessionLost
        #expect(envelope != .pong)
      }
      #expect(isTold)
    }
  }

  @Test func clientThatWasForgottenWhileSilentIsToldAtItsNextPing() async throws {
    let queue = try TestQueue { $0.shell.peers.silence = .milliseconds(100) }
    try await queue.run { endpoints in
      let client = try TestClient(endpoints.producers)
      var receive = ReceiveRequest()
      receive.channel = "answers"
      _ = try client.open(.receive, receive, end: false)
      // A rerank that is cancelled with its call shows when the queue has forgotten the session.
      var request = RerankCall()
      request.job = try Sample.job()
      request.cancelWithCall = true
      _ = try client.open(.rerank, request)
      let observer = try TestClient(endpoints.producers)
      let deadline = ContinuousClock.now + .seconds(10)
      var states: [JobState] = []
      while states != [.cancelled], ContinuousClock.now < deadline {
        let list = try observer.call(.listJobs, ListJobsRequest(), ListJobsResponse.self)
        states = list.jobs.map(\.state)
      }
      #expect(states == [.cancelled])

      try client.send(.ping)
      #expect(try client.next() == .sessionLost)
      // Told once; the connection can be used again.
      try client.send(.ping)
      #expect(try client.next() == .pong)
    }
  }

  @Test func timeoutOfACallEndsIt() async throws {
    try await TestQueue().run { endpoints in
      let client = try TestClient(endpoints.producers)
      var request = RerankCall()
      request.job = try Sample.job()
      request.cancelWithCall = true
      let call = try client.open(.rerank, request, timeoutMs: 100)
      let error = #expect(throws: CallError.self) { try client.answer(call, JobOutcome.self) }
      #expect(error?.code == .deadlineExceeded)
      let list = try client.call(.listJobs, ListJobsRequest(), ListJobsResponse.self)
      #expect(list.jobs.map(\.state) == [.cancelled])
    }
  }

  @Test func silentWorkerLosesItsJobs() async throws {
    let queue = try TestQueue { configuration in
      configuration.shell.peers.silence = .milliseconds(300)
      configuration.reattachGraceMs = 100
    }
    try await queue.run { endpoints in
      let client = try TestClient(endpoints.producers)
      let ids = try submit(client, [try Sample.job()])
      let silent = try TestWorker(endpoints.workers, id: "silent")
      #expect(try silent.assignments().map(\.lease.jobID) == ids)
      let other = try TestWorker(endpoints.workers, id: "other")
      let deadline = ContinuousClock.now + .seconds(10)
      var assignments: [Assignment] = []
      while assignments.isEmpty, ContinuousClock.now < deadline {
        try other.client.send(.ping)
        if case .message(let payload?) = try other.client.next().body {
          assignments = try QueueMessage(serializedBytes: payload).assignments
        } else {
          Thread.sleep(forTimeInterval: 0.02)
        }
      }
      #expect(assignments.map(\.lease.jobID) == ids)
      #expect(assignments.first?.lease.attempt == 2)
    }
  }

  @Test func secondQueueOnALedgerIsKeptOut() async throws {
    let queue = try TestQueue()
    let path = queue.folder.path("ledger.sqlite")
    try await queue.run { _ in
      #expect(throws: LedgerError.self) {
        try Ledger.open(LedgerConfiguration(path: path), shard: 0, wallMs: 0)
      }
    }
  }

  @Test func configurationThatCannotWorkIsNamed() async throws {
    let queue = try TestQueue { $0.shell.workersEndpoint = "tcp://0.0.0.0:*" }
    await #expect(throws: QueueError.self) { try await queue.run { _ in } }
  }
}

/// Hands a client from the thread that used it to the next one.
private struct TestClientBox: @unchecked Sendable {
  let client: TestClient
}
