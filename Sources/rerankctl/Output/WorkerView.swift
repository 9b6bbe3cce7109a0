import RerankdProtocol

/// An attached worker, as it is printed.
struct WorkerView: Encodable {
  var workerId: String
  var host: String
  var processId: UInt32
  var version: String
  var models: [String]
  var heldJobs: UInt32
  var creditJobs: UInt32
  var heldBytes: UInt64
  var creditBytes: UInt64
  var attachedMs: UInt64
  var silentMs: UInt64
  var draining: Bool
  var succeeded: UInt64
  var failed: UInt64

  init(_ worker: WorkerInfo) {
    workerId = worker.workerID
    host = worker.host
    processId = worker.processID
    version = worker.version
    models = worker.models
    heldJobs = worker.heldJobs
    creditJobs = worker.creditJobs
    heldBytes = worker.heldBytes
    creditBytes = worker.creditBytes
    attachedMs = worker.attachedMs
    silentMs = worker.silentMs
    draining = worker.draining
    succeeded = worker.succeeded
    failed = worker.failed
  }

  static func table(_ workers: [WorkerView]) -> TextTable {
    var table = TextTable([
      ("WORKER", .left), ("HOST", .left), ("PID", .right), ("JOBS", .right), ("SUCCEEDED", .right),
      ("FAILED", .right), ("ATTACHED", .right), ("SILENT", .right), ("STATE", .left),
      ("MODELS", .left),
    ])
    for worker in workers {
      table.append([
        worker.workerId, worker.host, "\(worker.processId)",
        "\(worker.heldJobs)/\(worker.creditJobs)", "\(worker.succeeded)", "\(worker.failed)",
        StatusView.time(worker.attachedMs), "\(worker.silentMs) ms",
        worker.draining ? "draining" : "serving", worker.models.joined(separator: ", "),
      ])
    }
    return table
  }
}
