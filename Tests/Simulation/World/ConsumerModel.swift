import RerankdProtocol
import SwiftProtobuf

@testable import QueueRole

/// A consumer of a reply channel: it takes outcomes within its credit and acknowledges them, late,
/// twice, or not at all.
final class ConsumerModel: LinkClient {
  private unowned let world: World
  private var draw: Draw
  /// nil: another one each time that it connects.
  private let fixed: TenantName?
  private var link: Link?
  private var call: CallRef?
  private var credit = 0
  private var unacknowledged: [Acknowledgement] = []

  init(_ world: World, index: Int) {
    self.world = world
    draw = Draw(seed: world.scenario.seed, stream: UInt64(400 + index))
    fixed = nil
  }

  init(_ world: World, index: Int, tenant: String, channel: String) {
    self.world = world
    draw = Draw(seed: world.scenario.seed, stream: UInt64(400 + index))
    fixed = TenantName(tenant: tenant, name: channel)
  }

  func start() {
    connect()
    act()
  }

  func heal() {}

  private func connect() {
    guard link == nil else { return }
    guard let made = world.host.connect(self) else {
      world.after(Int64(50 + draw.pick(300))) { [self] in connect() }
      return
    }
    link = made
    let opened = made.newCall()
    call = opened
    credit = 0
    unacknowledged = []
    let source =
      fixed
      ?? TenantName(tenant: draw.among(World.tenants), name: draw.among(World.channels))
    made.send(opened, .receive(opened, tenant: source.tenant, channel: source.name), opens: true)
    ask()
  }

  func lose(_ lost: Link) {
    guard lost === link else { return }
    link = nil
    call = nil
    world.after(Int64(10 + draw.pick(200))) { [self] in connect() }
  }

  private func ask() {
    guard let link, let call else { return }
    let more = 1 + draw.pick(4)
    credit += more
    link.send(call, .receiveMore(call, credit: UInt32(more), acknowledged: []))
  }

  private func act() {
    world.after(Int64(60 + draw.pick(300))) { [self] in
      if credit < 3 { ask() }
      if world.isFaulty, fixed == nil, draw.chance(4), let link {
        // It goes, and another comes.
        self.link = nil
        call = nil
        link.closeByClient()
        world.after(Int64(draw.pick(400))) { [self] in connect() }
      }
      if !world.has(.deafConsumers) || draw.chance(40) { acknowledge() }
      act()
    }
  }

  private func acknowledge() {
    guard let link, let call, !unacknowledged.isEmpty else { return }
    let isRepeated = world.has(.duplicates) && draw.chance(20)
    link.send(call, .receiveMore(call, credit: 0, acknowledged: unacknowledged))
    if !isRepeated { unacknowledged = [] }
  }

  func take(_ envelope: Envelope, on from: Link) {
    guard from === link, case .message(let payload?) = envelope.body else { return }
    do {
      let response = try ReceiveResponse(serializedBytes: payload)
      for delivery in response.deliveries { take(delivery) }
    } catch {
      world.fail("a consumer cannot read what it is sent: \(error)")
    }
  }

  private func take(_ delivery: Delivery) {
    credit -= 1
    if credit < 0 { world.fail("a consumer is sent more than it asked for") }
    world.history.receive(delivery.outcome, world)
    if world.has(.deafConsumers), draw.chance(30) { return }
    unacknowledged.append(Acknowledgement(delivery.outcome))
  }
}
