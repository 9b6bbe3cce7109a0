internal import RerankdProtocol

/// Bodies, or results, of jobs that will soon be sent, so that they need not be read back. Bounded
/// in bytes. What comes first is used first, so a full cache keeps what it has, and later payloads
/// are read from the ledger when their turn comes.
struct PayloadCache {
  private var payloads: [JobID: [UInt8]] = [:]
  private(set) var bytes = 0
  private let bytesMax: Int

  init(bytesMax: Int) {
    self.bytesMax = bytesMax
  }

  subscript(job: JobID) -> [UInt8]? { payloads[job] }

  mutating func insert(_ payload: [UInt8], for job: JobID) {
    remove(job)
    guard payload.count <= bytesMax - bytes else { return }
    bytes += payload.count
    payloads[job] = payload
  }

  mutating func remove(_ job: JobID) {
    guard let payload = payloads.removeValue(forKey: job) else { return }
    bytes -= payload.count
  }
}
