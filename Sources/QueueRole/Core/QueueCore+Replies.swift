import Ledger
import RerankdProtocol

/// Outcomes on their way to the consumers of their channel: at least once each, until acknowledged
/// or parked.
extension QueueCore {
  func receive(_ call: CallRef, _ key: TenantName) {
    let channel = channel(key)
    channel.consumers += 1
    calls[call] = .consumer(Consumer(call: call, channel: channel))
  }

  func receiveMore(_ call: CallRef, credit: UInt32, acknowledged: [Acknowledgement]) {
    guard case .consumer(let consumer) = calls[call] else { return }
    for outcome in acknowledged { acknowledge(outcome, by: consumer) }
    consumer.credit += UInt64(credit)
    takeTurn(consumer)
    wake(consumer.channel)
  }

  /// Any consumer of the channel may acknowledge; what is not pending there is not there to record,
  /// and neither is an earlier outcome of a job that ended once more since.
  private func acknowledge(_ outcome: Acknowledgement, by consumer: Consumer) {
    let id = JobID(rawValue: outcome.jobID)
    guard let delivery = deliveries[id], delivery.channel === consumer.channel,
      delivery.order.attempts == outcome.attempts
    else { return }
    write(delivery, .acknowledged)
    forget(delivery)
    consumer.recorded.append(id)
    touch(consumer)
  }

  /// A job with a reply channel ended.
  func addDelivery(_ record: JobRecord, bytes: Int) {
    let row = DeliveryRow(
      jobID: record.id, tenant: record.tenant, channel: record.replyChannel ?? "", state: .pending,
      attempts: 0, updatedMs: wallMs)
    effects.append(.write(.putDelivery(row)))
    enterDelivery(of: record, bytes: bytes, attempts: 0, ageMs: 0)
  }

  func enterDelivery(of record: JobRecord, bytes: Int, attempts: UInt32, ageMs: Int64) {
    let channel = channel(TenantName(tenant: record.tenant, name: record.replyChannel ?? ""))
    let delivery = PendingDelivery(
      order: OutcomeOrder(record), channel: channel, sequence: nextDeliverySequence,
      bytes: bytes, attempts: attempts, ageEndMs: nowMs + configuration.deliveryAgeMaxMs - ageMs)
    nextDeliverySequence += 1
    deliveries[record.id] = delivery
    channel.unacknowledged += 1
    setTimer(.deliveryAge, record.id.rawValue, dueMs: delivery.ageEndMs)
    queue(delivery)
  }

  private func queue(_ delivery: PendingDelivery) {
    let entry = WaitingDelivery(sequence: delivery.sequence, job: delivery.order.job)
    delivery.channel.waiting.push(entry) { deliveries[$0.job]?.sequence == $0.sequence }
    wake(delivery.channel)
  }

  func deliver(from channel: ReplyChannel) {
    while let delivery = firstWaiting(in: channel), let consumer = nextConsumer(of: channel) {
      channel.waiting.pop()
      delivery.state = .sent(consumer)
      delivery.attempts += 1
      let leaseEndMs = nowMs + configuration.deliveryLeaseMs
      delivery.leaseEndMs = leaseEndMs
      setTimer(.deliveryLease, delivery.order.job.rawValue, dueMs: leaseEndMs)
      if delivery.attempts > 1 {
        counters.redeliveries += 1
        write(delivery, .pending)
      }
      counters.deliveries += 1
      consumer.credit -= 1
      consumer.held.insert(delivery.order.job)
      consumer.heldBytes += delivery.bytes
      consumer.orders.append(
        DeliveryOrder(outcome: delivery.order, deliveryAttempt: delivery.attempts))
      takeTurn(consumer)
      touch(consumer)
    }
  }

  private func firstWaiting(in channel: ReplyChannel) -> PendingDelivery? {
    while let entry = channel.waiting.top {
      if let delivery = deliveries[entry.job], delivery.sequence == entry.sequence {
        return delivery
      }
      channel.waiting.pop()
    }
    return nil
  }

  private func nextConsumer(of channel: ReplyChannel) -> Consumer? {
    while let consumer = channel.ready.popFirst() {
      consumer.isInTurn = false
      if consumer.isOpen { return consumer }
    }
    return nil
  }

  private func takeTurn(_ consumer: Consumer) {
    guard consumer.credit > 0, consumer.heldBytes < configuration.deliveryBytesMax,
      !consumer.isInTurn
    else { return }
    consumer.isInTurn = true
    consumer.channel.ready.append(consumer)
  }

  /// Its consumer did not acknowledge it in time, or went: it goes to the next, or is parked.
  func takeBack(_ delivery: PendingDelivery) {
    guard case .sent(let consumer) = delivery.state else { return }
    guard delivery.attempts < configuration.deliveryAttemptsMax else { return park(delivery) }
    release(delivery, from: consumer)
    delivery.state = .waiting
    delivery.leaseEndMs = nil
    queue(delivery)
  }

  /// No more deliveries: whoever wants the outcome fetches it by Get.
  func park(_ delivery: PendingDelivery) {
    counters.deliveriesParked += 1
    write(delivery, .parked)
    forget(delivery)
  }

  /// The job was brought back: there will be another outcome. Its row rests until then.
  func withdraw(_ delivery: PendingDelivery) {
    write(delivery, .parked)
    forget(delivery)
  }

  /// The consumer's stream ended: what it had goes to the others at once.
  func end(_ consumer: Consumer) {
    consumer.isOpen = false
    consumer.channel.consumers -= 1
    for id in consumer.held.sorted() {
      if let delivery = deliveries[id] { takeBack(delivery) }
    }
    drop(consumer.channel)
  }

  private func forget(_ delivery: PendingDelivery) {
    if case .sent(let consumer) = delivery.state { release(delivery, from: consumer) }
    deliveries[delivery.order.job] = nil
    delivery.channel.unacknowledged -= 1
    if delivery.order.state == .succeeded { effects.append(.forgetResult(delivery.order.job)) }
    drop(delivery.channel)
  }

  private func release(_ delivery: PendingDelivery, from consumer: Consumer) {
    consumer.held.remove(delivery.order.job)
    consumer.heldBytes -= delivery.bytes
    guard consumer.isOpen else { return }
    takeTurn(consumer)
    wake(consumer.channel)
  }

  private func write(_ delivery: PendingDelivery, _ state: DeliveryState) {
    let row = DeliveryRow(
      jobID: delivery.order.job, tenant: delivery.channel.key.tenant,
      channel: delivery.channel.key.name, state: state, attempts: delivery.attempts,
      updatedMs: wallMs)
    effects.append(.write(.putDelivery(row)))
  }

  private func channel(_ key: TenantName) -> ReplyChannel {
    if let channel = channels[key] { return channel }
    let channel = ReplyChannel(key: key)
    channels[key] = channel
    return channel
  }

  /// Forgets a channel that nothing is left of.
  private func drop(_ channel: ReplyChannel) {
    if channel.unacknowledged == 0, channel.consumers == 0 { channels[channel.key] = nil }
  }

  private func wake(_ channel: ReplyChannel) {
    guard !channel.isWaitingForDispatch else { return }
    channel.isWaitingForDispatch = true
    channelsToDispatch.append(channel)
  }

  private func touch(_ consumer: Consumer) {
    guard !consumer.isTouched else { return }
    consumer.isTouched = true
    touchedConsumers.append(consumer)
  }
}
