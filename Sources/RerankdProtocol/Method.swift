/// The methods of the services in protocol/rerankd/v1, by gRPC's full method names.
public enum Method: String, Sendable, CaseIterable {
  case submit = "/rerankd.v1.JobQueue/Submit"
  case rerank = "/rerankd.v1.JobQueue/Rerank"
  case get = "/rerankd.v1.JobQueue/Get"
  case cancel = "/rerankd.v1.JobQueue/Cancel"
  case listModels = "/rerankd.v1.JobQueue/ListModels"

  case receive = "/rerankd.v1.Replies/Receive"

  case attach = "/rerankd.v1.Work/Attach"

  case status = "/rerankd.v1.Control/Status"
  case listJobs = "/rerankd.v1.Control/ListJobs"
  case retryJobs = "/rerankd.v1.Control/RetryJobs"
  case listWorkers = "/rerankd.v1.Control/ListWorkers"
  case drainWorker = "/rerankd.v1.Control/DrainWorker"
  case setPaused = "/rerankd.v1.Control/SetPaused"
  case setBackendPaused = "/rerankd.v1.Control/SetBackendPaused"
  case cancelJobs = "/rerankd.v1.Control/CancelJobs"
  case purgeJobs = "/rerankd.v1.Control/PurgeJobs"
  case setWorkerPaused = "/rerankd.v1.Control/SetWorkerPaused"
  case setDraining = "/rerankd.v1.Control/SetDraining"
  case scaleWorkers = "/rerankd.v1.Control/ScaleWorkers"
  case supervise = "/rerankd.v1.Control/Supervise"
  case backUpLedger = "/rerankd.v1.Control/BackUpLedger"
  case checkLedger = "/rerankd.v1.Control/CheckLedger"
  case ledgerStatistics = "/rerankd.v1.Control/LedgerStatistics"

  /// Both directions carry any number of messages; the other methods take one and answer one.
  public var isStream: Bool {
    switch self {
    case .receive, .attach: true
    default: false
    }
  }
}

/// Where a queue listens unless it is told otherwise: loopback alone.
public enum DefaultEndpoint {
  /// ROUTER: JobQueue, Replies and Control.
  public static let producers = "tcp://127.0.0.1:7801"
  /// ROUTER: Work.
  public static let workers = "tcp://127.0.0.1:7802"
  /// PULL: bare `RerankJob` messages.
  public static let bareIntake = "tcp://127.0.0.1:7803"
}
