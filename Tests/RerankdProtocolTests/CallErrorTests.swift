import RerankdProtocol
import Testing

@Suite struct CallErrorTests {
  @Test func errorsSurviveTheirStatus() {
    let error = CallError(
      .resourceExhausted, "full", reason: "QUEUE_FULL", resource: "shard 0",
      retryAfter: .milliseconds(1_500))
    #expect(CallError(status: error.status) == error)
    #expect(error.retryAfter == .milliseconds(1_500))
    #expect(CallError(status: CallStatus()) == nil)
  }

  @Test func errorWithoutDetailsHasNoneOnTheWire() {
    #expect(!CallError(.notFound, "no such job").status.hasDetails)
  }

  @Test func invalidArgumentNamesItsField() {
    let error = CallError.invalidArgument(field: "jobs[3].spec.model", "is empty")
    #expect(error.message == "jobs[3].spec.model: is empty")
    #expect(error.details.violations.map(\.field) == ["jobs[3].spec.model"])
    #expect("\(error)" == "INVALID_ARGUMENT: jobs[3].spec.model: is empty")
  }

  @Test func codesHaveGoogleRPCNumbersAndNames() {
    #expect(StatusCode.allCases.map(\.rawValue) == Array(0...16))
    #expect(StatusCode.deadlineExceeded.description == "DEADLINE_EXCEEDED")
    #expect(Set(StatusCode.allCases.map(\.description)).count == 17)
    #expect(StatusCode(wire: 14) == .unavailable)
    #expect(StatusCode(wire: 99) == .unknown)
    #expect(
      StatusCode.allCases.filter(\.isRetryable) == [.resourceExhausted, .aborted, .unavailable])
  }

  @Test func waitsAreNeverCutShort() {
    #expect(Duration.nanoseconds(1).wholeMilliseconds == 1)
    #expect(Duration.milliseconds(2).wholeMilliseconds == 2)
    #expect(Duration.seconds(-1).wholeMilliseconds == 0)
    #expect(Duration.seconds(Int64.max).wholeMilliseconds == .max)
    var error = CallError(.unavailable, "away")
    error.retryAfter = .nanoseconds(1)
    #expect(error.details.retryAfterMs == 1)
    error.details.retryAfterMs = .max
    #expect(error.retryAfter == .milliseconds(Int64.max))
  }

  @Test func jobIDsSortByShardAndAge() {
    let ids = [
      JobID(shard: 0, sequence: 1), JobID(shard: 0, sequence: 2), JobID(shard: 1, sequence: 1),
    ]
    #expect(ids.reversed().sorted() == ids)
    #expect(JobID(shard: .max, sequence: JobID.sequenceMax).rawValue == .max)
  }

  @Test func methodsAreThoseOfTheServices() {
    #expect(Method.allCases.allSatisfy { $0.rawValue.hasPrefix("/rerankd.v1.") })
    #expect(Method(rawValue: "/rerankd.v1.JobQueue/Rerank") == .rerank)
    #expect(Method.allCases.filter(\.isStream) == [.receive, .attach])
  }
}
