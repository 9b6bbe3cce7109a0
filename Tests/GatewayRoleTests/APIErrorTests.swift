import HTTPTypes
import RerankdProtocol
import Testing

@testable import GatewayRole

/// Every end that a job or a call can have, as clients see it.
@Suite struct APIErrorTests {
  @Test(arguments: [
    (StatusCode.invalidArgument, 422), (.notFound, 404), (.alreadyExists, 409), (.cancelled, 409),
    (.resourceExhausted, 429), (.unavailable, 503), (.aborted, 503), (.deadlineExceeded, 504),
    (.internal, 500), (.unknown, 500), (.dataLoss, 500), (.permissionDenied, 500),
    (.unauthenticated, 500), (.unimplemented, 500), (.failedPrecondition, 500), (.outOfRange, 422),
  ])
  func everyCodeHasItsStatus(code: StatusCode, status: Int) {
    let error = APIError(CallError(code, "why"), retryAfter: .seconds(1))
    #expect(error.status.code == status)
    #expect(error.message == "why")
    #expect((error.retryAfter != nil) == [429, 503].contains(status))
  }

  @Test func theQueuesOwnWaitIsPassedOn() {
    let refusal = CallError(.resourceExhausted, "full", reason: "FULL", retryAfter: .seconds(7))
    #expect(APIError(refusal, retryAfter: .seconds(1)).retryAfter == .seconds(7))
  }

  @Test func fieldsAreNamedAsTheClientWroteThem() {
    let error = CallError.invalidArgument(field: "job.request.documents[3]", "is empty")
    #expect(APIError(error, retryAfter: .seconds(1)).param == "documents[3]")
  }

  @Test func anUnknownModelIsSaidSo() {
    let error = CallError(.notFound, "no", reason: "MODEL_UNKNOWN", resource: "m")
    let api = APIError(error, retryAfter: .seconds(1))
    #expect(api.code == "model_not_found")
    #expect(api.param == "model")
  }

  @Test(arguments: [
    ("/v1/rerank", "/v1/rerank"), ("/v1/jobs/0-17", "/v1/jobs/{id}"), ("/rerank", "/rerank"),
  ])
  func routesAreNamedWithoutWhatClientsPutIn(path: String, template: String) {
    #expect(Route(path: path)?.template == template)
  }

  @Test(arguments: ["/", "/v1", "/v1/jobs/", "/v1/rerank/", "/V1/rerank"])
  func otherPathsAreNone(path: String) {
    #expect(Route(path: path) == nil)
  }
}
