import Ledger
import RerankdProtocol

@testable import QueueRole

/// Somebody with `rerankctl`: pauses, drains, cancels, brings back and looks, without plan.
final class OperatorModel: LinkClient {
  private unowned let world: World
  private var draw: Draw
  private var link: Link?
  private var isNeeded = true

  init(_ world: World) {
    self.world = world
    draw = Draw(seed: world.scenario.seed, stream: 5)
  }

  func start() {
    connect()
    act()
  }

  /// Takes back every pause, as often as it takes: nobody else would.
  func heal() { act() }

  private func connect() {
    guard link == nil else { return }
    link = world.host.connect(self)
    if link == nil { world.after(Int64(100 + draw.pick(300))) { [self] in connect() } }
  }

  func lose(_ lost: Link) {
    guard lost === link else { return }
    link = nil
    world.after(Int64(10 + draw.pick(200))) { [self] in connect() }
  }

  func take(_ envelope: Envelope, on link: Link) {}

  private func act() {
    world.after(Int64(100 + draw.pick(700))) { [self] in
      if world.isFaulty {
        if world.has(.operators) { meddle() }
        act()
      } else if isNeeded {
        ask { .setPaused($0, false) }
        ask { .setBackendPaused($0, backend: "hub", false) }
        ask { .setDraining($0, false) }
        for worker in ["w0", "w1", "w2"] {
          ask { .setWorkerPaused($0, workerID: worker, false) }
        }
        // What is on its way when the queue dies is lost; a while after the faults none does.
        isNeeded = world.nowMs < 1_000 + world.scenario.faultyMs + 8_000
        act()
      }
    }
  }

  private func meddle() {
    let ids = world.history.acknowledged.sorted()
    let chosen = ids.isEmpty ? [] : (0..<1 + draw.pick(3)).map { _ in draw.among(ids) }
    switch draw.pick(14) {
    case 0: ask { .setPaused($0, draw.chance(50)) }
    case 1: ask { .setPaused($0, false) }
    case 2: ask { .setBackendPaused($0, backend: "hub", draw.chance(50)) }
    case 3: ask { .drainWorker($0, workerID: draw.among(["w0", "w1", "w2"])) }
    case 4..<7:
      world.history.retry(chosen)
      ask { .retryJobs($0, chosen) }
    case 10: ask { .cancelJobs($0, chosen) }
    case 11: ask { .purgeJobs($0, chosen, undelivered: draw.chance(50)) }
    case 12:
      let worker = draw.among(["w0", "w1", "w2"])
      ask { .setWorkerPaused($0, workerID: worker, draw.chance(40)) }
    case 13: ask { .setDraining($0, draw.chance(30)) }
    case 7: ask { .status($0) }
    case 8: ask { .listWorkers($0) }
    default: ask { .listJobs($0, JobFilter(limit: 5)) }
    }
  }

  private func ask(_ input: (CallRef) -> QueueInput) {
    guard let link else { return }
    let call = link.newCall()
    link.send(call, input(call), opens: true)
  }
}
