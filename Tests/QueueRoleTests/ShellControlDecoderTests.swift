import Ledger
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellControlDecoderTests {
  private let decoder = CallDecoder(limits: Sample.limits, takesImages: [:])
  private let call = CallRef(peer: PeerID(rawValue: 1), call: 1)

  private func input(_ method: RerankdProtocol.Method, _ message: some Message) throws -> QueueInput
  {
    let bytes: [UInt8] = try message.serializedBytes()
    return try #require(try decoder.inputs(call, method, bytes, isFirst: true).first)
  }

  private func field(_ method: RerankdProtocol.Method, _ message: some Message) throws -> String? {
    do {
      _ = try input(method, message)
      return nil
    } catch let error as CallError {
      #expect(error.code == .invalidArgument)
      return error.details.violations.first?.field
    }
  }

  @Test func jobsToActOnAreOneToAThousand() throws {
    for count in [0, 1_001] {
      let ids = [UInt64](repeating: 1, count: count)
      #expect(try field(.cancelJobs, CancelJobsRequest.with { $0.jobIds = ids }) == "job_ids")
      #expect(try field(.purgeJobs, PurgeJobsRequest.with { $0.jobIds = ids }) == "job_ids")
      #expect(try field(.retryJobs, RetryJobsRequest.with { $0.jobIds = ids }) == "job_ids")
    }
    let request = PurgeJobsRequest.with {
      $0.jobIds = [5]
      $0.undelivered = true
    }
    guard case .purgeJobs(_, let ids, undelivered: true) = try input(.purgeJobs, request) else {
      Issue.record("no purge")
      return
    }
    #expect(ids == [JobID(rawValue: 5)])
  }

  @Test func filtersAreBoundedAndHandedOn() throws {
    let request = ListJobsRequest.with {
      $0.olderThanMs = 5
      $0.newerThanMs = .max
      $0.errorCodes = [14]
      $0.errorContains = "503"
    }
    guard case .listJobs(_, let filter, let ages) = try input(.listJobs, request) else {
      Issue.record("no list")
      return
    }
    #expect(filter.errorCodes == [14] && filter.errorContains == "503")
    #expect(ages.olderThanMs == 5 && (ages.newerThanMs ?? 0) > 0)
    let codes = ListJobsRequest.with { $0.errorCodes = [UInt32](repeating: 1, count: 33) }
    #expect(try field(.listJobs, codes) == "error_codes")
    let text = ListJobsRequest.with { $0.errorContains = String(repeating: "x", count: 257) }
    #expect(try field(.listJobs, text) == "error_contains")
  }

  @Test func namesAreNotEmpty() throws {
    #expect(try field(.setWorkerPaused, SetWorkerPausedRequest()) == "worker_id")
    #expect(try field(.drainWorker, DrainWorkerRequest()) == "worker_id")
    #expect(try field(.setBackendPaused, SetBackendPausedRequest()) == "backend")
  }

  @Test func supervisorsNameThemselvesInPrintableASCII() throws {
    for id in ["", "ä", "a\nb", String(repeating: "a", count: 129)] {
      let request = SuperviseRequest.with { $0.supervisorID = id }
      #expect(try field(.supervise, request) == "supervisor_id")
    }
    let request = SuperviseRequest.with {
      $0.supervisorID = "host-1"
      $0.workersMax = 4
    }
    guard case .supervise(_, let report) = try input(.supervise, request) else {
      Issue.record("no report")
      return
    }
    #expect(report.supervisorID == "host-1" && report.workersMax == 4)
    let long = SuperviseRequest.with {
      $0.supervisorID = "a"
      $0.host = String(repeating: "h", count: 257)
    }
    #expect(try field(.supervise, long) == "host")
  }

  @Test func emptyNamesTakeWhatThereIs() throws {
    guard
      case .scaleWorkers(_, supervisorID: nil, workers: 3) =
        try input(.scaleWorkers, ScaleWorkersRequest.with { $0.workers = 3 })
    else {
      Issue.record("no scaling")
      return
    }
    guard
      case .ledgerTask(_, .backUp(name: nil, keeping: nil)) =
        try input(.backUpLedger, BackUpLedgerRequest())
    else {
      Issue.record("no backup")
      return
    }
  }
}
