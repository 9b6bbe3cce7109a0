import RerankdProtocol
import Scoring
import SwiftProtobuf
import Testing

@testable import WorkerRole

/// The session's side of permits: event → action, under a clock that the tests move.
struct PermitTests {
  private var worker = SessionDriver()

  private func permit(_ id: UInt64, job: UInt64 = 1) -> PermitBook.Permit {
    PermitBook.Permit(id: id, backend: "hub", tokens: 7, lease: worker.lease(job))
  }

  private mutating func grant(_ id: UInt64, validMs: UInt64 = 1_000) -> [WorkerSession.Action] {
    worker.handle(
      .received(
        .with {
          $0.grantedPermits = [
            .with {
              $0.permitID = id
              $0.validMs = validMs
            }
          ]
        }))
  }

  private mutating func begin(_ id: UInt64) -> (begins: Bool, actions: [WorkerSession.Action]) {
    worker.session.begin(id, now: worker.now)
  }

  @Test mutating func requestIsAskedForGrantedBegunAndReported() {
    worker.attach()
    worker.assign(worker.assignment(1))
    let asked = worker.handle(.permitWanted(permit(1))).messages.flatMap(\.permitRequests)
    #expect(asked.map(\.permitID) == [1] && asked.map(\.backend) == ["hub"])
    #expect(asked.map(\.tokens) == [7] && asked.map(\.jobID) == [1])
    #expect(grant(1) == [.grant(1)])
    #expect(begin(1).begins)
    let error = EngineError(
      code: .unavailable, message: "it answered 503", isRetryable: true, retryAfter: .seconds(2),
      backendFault: .unavailable)
    let reports = worker.handle(.permitEnded(1, .failed(error))).messages.flatMap(\.permitReports)
    #expect(reports.map(\.permitID) == [1] && reports.map(\.fault) == [.unavailable])
    #expect(reports.map(\.retryAfterMs) == [2_000] && reports.map(\.message) == ["it answered 503"])
    #expect(!reports[0].unused && !reports[0].unfinished)
  }

  @Test mutating func endsAreToldApart() {
    worker.attach()
    let ends: [(WorkerSession.PermitEnd, unused: Bool, unfinished: Bool)] = [
      (.answered, false, false), (.unused, true, false), (.unfinished, false, true),
    ]
    for (number, (end, unused, unfinished)) in ends.enumerated() {
      let id = UInt64(number)
      worker.handle(.permitWanted(permit(id)))
      let reports = worker.handle(.permitEnded(id, end)).messages.flatMap(\.permitReports)
      #expect(reports.map(\.unused) == [unused] && reports.map(\.unfinished) == [unfinished])
      #expect(reports.map(\.fault) == [BackendFault.none])
    }
  }

  @Test mutating func permitIsGoodForItsTimeAlone() {
    worker.attach()
    worker.handle(.permitWanted(permit(1)))
    _ = grant(1, validMs: 500)
    worker.now += .milliseconds(501)
    let (begins, actions) = begin(1)
    #expect(!begins)
    #expect(actions.messages.flatMap(\.permitReports).map(\.unused) == [true])
  }

  @Test mutating func permitsOfALostStreamAreVoid() {
    worker.attach()
    for id in 1...3 as ClosedRange<UInt64> { worker.handle(.permitWanted(permit(id))) }
    _ = grant(1)
    #expect(begin(1).begins)
    _ = grant(2)
    worker.handle(.disconnected)
    // Granted, and not begun: it is asked for anew, and nobody is there to be told.
    let (begins, actions) = begin(2)
    #expect(!begins && actions.isEmpty)
    #expect(worker.handle(.permitWanted(permit(4))).isEmpty)
    worker.handle(.connected(models: ["m"]))
    let asked = worker.receiveAttached(epoch: 2, adopted: []).messages.flatMap(\.permitRequests)
    #expect(asked.map(\.permitID) == [3, 4])
    // The request under way ends without a word.
    #expect(worker.handle(.permitEnded(1, .answered)).isEmpty)
  }

  @Test mutating func refusalSaysWhyAndForHowLong() {
    worker.attach()
    worker.handle(.permitWanted(permit(1)))
    let actions = worker.handle(
      .received(
        .with {
          $0.refusedPermits = [
            .with {
              $0.permitID = 1
              $0.retryAfterMs = 5_000
              $0.reason = "it rests"
            }
          ]
        }))
    #expect(actions == [.refuse(1, retryAfter: .seconds(5), reason: "it rests")])
    #expect(worker.handle(.permitEnded(1, .unused)).isEmpty)
  }

  @Test mutating func grantThatNobodyWaitsForAnyMoreWasGivenBackAlready() {
    worker.attach()
    worker.handle(.permitWanted(permit(1)))
    #expect(worker.handle(.permitEnded(1, .unused)).messages.flatMap(\.permitReports).count == 1)
    #expect(grant(1).isEmpty)
  }

  @Test mutating func waitingInLineRenewsTheLease() {
    worker.attach()
    worker.assign(worker.assignment(1), worker.assignment(2))
    worker.handle(.permitWanted(permit(1, job: 1)))
    for _ in 0..<3 {
      let wake = worker.session.nextWake
      #expect(wake.map { $0 >= worker.now } == true)
      worker.now = (wake ?? .zero) + .milliseconds(1)
      let renewed = worker.handle(.tick).messages.flatMap(\.progress)
      #expect(renewed.map(\.jobID) == [1])
    }
    _ = grant(1)
    #expect(worker.session.nextWake == nil)
  }

  @Test mutating func waitingForAJobThatIsGoneWakesNobodyAtOnceAgain() {
    worker.attach()
    worker.handle(.permitWanted(permit(1, job: 9)))
    worker.now = .seconds(10)
    #expect(worker.handle(.tick).isEmpty)
    #expect(worker.session.nextWake.map { $0 > worker.now } == true)
  }

  @Test mutating func renewedCredentialsAreToldOnceAStreamIsThere() {
    #expect(worker.handle(.credentialsRenewed(backend: "hub")).isEmpty)
    worker.handle(.connected(models: ["m"]))
    let told = worker.receiveAttached(epoch: 1, adopted: []).messages.flatMap(\.renewedCredentials)
    #expect(told == ["hub"])
    let again = worker.handle(.credentialsRenewed(backend: "hub")).messages
    #expect(again.flatMap(\.renewedCredentials) == ["hub"])
  }
}
