import RerankdProtocol

/// An attached worker, as it is printed.
struct WorkerView: Encodable {
  /// The queue that said so, where there are several.
  var endpoint: String?
  var workerId: String
  var host: String
  var processId: UInt32
  var version: String
  /// Of the CURVE key that it came with.
  var keyName: String?
  var models: [String]
  var heldJobs: UInt32
  var creditJobs: UInt32
  var heldBytes: UInt64
  var creditBytes: UInt64
  var attachedMs: UInt64
  var silentMs: UInt64
  var draining: Bool
  var paused: Bool
  var succeeded: UInt64
  var failed: UInt64

  init(_ worker: WorkerInfo) {
    workerId = worker.workerID
    host = worker.host
    processId = worker.processID
    version = worker.version
    keyName = worker.keyName.nonEmpty
    models = worker.models
    heldJobs = worker.heldJobs
    creditJobs = worker.creditJobs
    heldBytes = worker.heldBytes
    creditBytes = worker.creditBytes
    attachedMs = worker.attachedMs
    silentMs = worker.silentMs
    draining = worker.draining
    paused = worker.paused
    succeeded = worker.succeeded
    failed = worker.failed
  }

  static func table(_ workers: [WorkerView]) -> TextTable {
    let hasKeys = workers.contains { $0.keyName != nil }
    let hasQueues = workers.contains { $0.endpoint != nil }
    var table = TextTable(
      (hasQueues ? [("QUEUE", .left)] : []) + [
        ("WORKER", .left), ("HOST", .left), ("PID", .right), ("STATE", .left), ("JOBS", .right),
        ("SUCCEEDED", .right), ("FAILED", .right), ("ATTACHED", .right), ("SILENT", .right),
      ] + (hasKeys ? [("KEY", .left)] : []) + [("MODELS", .left)])
    for worker in workers {
      var cells: [TextTable.Cell] = hasQueues ? [.init(worker.endpoint ?? "")] : []
      cells += [
        .init(worker.workerId), .init(worker.host), "\(worker.processId)",
        .init(worker.state.word, worker.state.style), "\(worker.heldJobs)/\(worker.creditJobs)",
        .init(Quantity.count(worker.succeeded)),
        .init(Quantity.count(worker.failed), worker.failed > 0 ? .bad : .faint),
        .init(Quantity.time(milliseconds: worker.attachedMs)),
        .init(Quantity.time(microseconds: worker.silentMs * 1_000)),
      ]
      if hasKeys { cells.append(.init(worker.keyName ?? "")) }
      table.append(cells + [.init(worker.models.joined(separator: ", "))])
    }
    return table
  }

  private var state: (word: String, style: TextStyle) {
    if draining { return ("draining", .waiting) }
    if paused { return ("paused", .waiting) }
    return heldJobs > 0 ? ("busy", .busy) : ("idle", .good)
  }
}
