import Ledger
import RerankdProtocol

@testable import QueueRole

/// Where a mutation changes what the shell does; without one, nothing is changed.
struct ShellMutant {
  private let mutation: Mutation?
  private var draw: Draw
  private var lastDelivery: QueueEffect?
  private var lastBody: [UInt8]?

  init(_ mutation: Mutation?, seed: UInt64) {
    self.mutation = mutation
    draw = Draw(seed: seed, stream: 3)
  }

  var readsTooEarly: Bool { mutation == .readsTooEarly }
  var sendsBeforeDurable: Bool { mutation == .sendsBeforeDurable }

  func ignores(_ error: any Error) -> Bool { mutation == .ignoresFailedCommit }

  /// What is committed by itself, in order.
  func parts(of writes: [LedgerWrite]) -> [[LedgerWrite]] {
    guard mutation == .splitsBatches, writes.count > 1 else { return [writes] }
    return [Array(writes[..<(writes.count / 2)]), Array(writes[(writes.count / 2)...])]
  }

  func inbound(_ input: QueueInput, _ core: QueueCore) -> QueueInput {
    guard case .work(let call, var report) = input else { return input }
    for index in report.outcomes.indices {
      switch report.outcomes[index].end {
      case .failed(var failure):
        if mutation == .spendsUnspent, failure.isUnspent {
          failure.isUnspent = false
          report.outcomes[index].end = .failed(failure)
        }
        let job = core.jobs[report.outcomes[index].lease.job]
        if mutation == .ignoresFence, let lease = job?.lease {
          report.outcomes[index].lease.attempt = lease.attempt
          report.outcomes[index].lease.epoch = lease.epoch ?? 0
        }
      case .completed: break
      }
    }
    return .work(call, report)
  }

  mutating func effects(_ effects: [QueueEffect], _ core: QueueCore) -> [QueueEffect] {
    mutation == nil ? effects : effects.flatMap { changed($0, core) }
  }

  private mutating func changed(_ effect: QueueEffect, _ core: QueueCore) -> [QueueEffect] {
    switch (mutation, effect) {
    case (.losesRequeue, .write(.updateJob(_, let state)))
    where state.attempt > 0 && (state.state == .ready || state.state == .delayed):
      return []
    case (.losesOutcome, .write(.updateJob(_, let state))) where state.state.isTerminal:
      return draw.chance(20) ? [] : [effect]
    case (.losesAcknowledgement, .write(.putDelivery(let row))) where row.state == .acknowledged:
      return []
    case (.deliversAgain, .deliver):
      defer { lastDelivery = effect }
      if let lastDelivery { return [effect, lastDelivery] }
    case (.mixesBodies, .write(.insertJob(let job, let body?))):
      defer { lastBody = body }
      if let lastBody { return [.write(.insertJob(job, body: lastBody))] }
    case (.assignsTwice, .assign(let call, let orders)):
      guard draw.chance(20) else { return [effect] }
      let again = orders.map { order in
        var order = order
        order.lease.attempt += 1
        return order
      }
      return [effect, .assign(call, again)]
    case (.losesRevocation, .workerNotice(let call, var notice)):
      notice.revoked = []
      return [.workerNotice(call, notice)]
    default: break
    }
    return [effect]
  }
}
