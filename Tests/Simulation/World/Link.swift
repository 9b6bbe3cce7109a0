import RerankdProtocol

@testable import QueueRole

/// Somebody who speaks with the queue.
protocol LinkClient: AnyObject {
  func take(_ envelope: Envelope, on link: Link)
  /// The connection is gone; what was under way on it is lost.
  func lose(_ link: Link)
}

/// A connection to one process of the queue. What is sent on it arrives late, in order and once,
/// or, when it breaks, not at all; different connections overtake one another.
final class Link {
  let peer: PeerID
  let process: QueueProcess
  private(set) var isOpen = true
  private unowned let world: World
  private weak var client: (any LinkClient)?
  private var draw: Draw
  private var lastCall: UInt64 = 0
  /// When the latest message arrives, there and back.
  private var thereMs: Int64 = 0
  private var backMs: Int64 = 0

  init(_ world: World, _ process: QueueProcess, _ client: any LinkClient) {
    self.world = world
    self.process = process
    self.client = client
    peer = world.newPeer()
    draw = Draw(seed: world.scenario.seed, stream: 1_000 + peer.rawValue)
  }

  func newCall() -> CallRef {
    lastCall += 1
    return CallRef(peer: peer, call: lastCall)
  }

  /// Begins a call, or says more on it.
  func send(_ call: CallRef, _ input: QueueInput, opens: Bool = false) {
    thereMs = max(thereMs, world.nowMs + delayMs())
    world.after(thereMs - world.nowMs) { [self] in
      if isOpen { process.take(InboundMessage(call: call, input: input, opens: opens)) }
    }
  }

  func deliver(_ envelope: Envelope) {
    backMs = max(backMs, world.nowMs + delayMs())
    world.after(backMs - world.nowMs) { [self] in
      if isOpen { client?.take(envelope, on: self) }
    }
  }

  /// It breaks by itself: both ends notice in their own time.
  func shatter() {
    guard isOpen else { return }
    isOpen = false
    world.note("link \(peer.rawValue) breaks")
    world.after(Int64(draw.pick(800))) { [self] in client?.lose(self) }
    world.after(Int64(draw.pick(2_000))) { [self] in process.miss(self) }
  }

  /// One end is gone: the client, or the queue's process.
  func closeByClient() {
    guard isOpen else { return }
    isOpen = false
    world.after(Int64(draw.pick(1_000))) { [self] in process.miss(self) }
  }

  func closeByQueue() {
    guard isOpen else { return }
    isOpen = false
    world.after(Int64(draw.pick(400))) { [self] in client?.lose(self) }
  }

  private func delayMs() -> Int64 {
    if world.has(.slowLinks), draw.chance(8) { return Int64(draw.pick(1_500)) }
    return Int64(1 + draw.pick(12))
  }
}

struct InboundMessage {
  let call: CallRef
  let input: QueueInput
  let opens: Bool
}
