import Foundation
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import WorkerRole

struct OutboxTests {
  @Test func waitingMessagesTravelAsOneInTheirOrder() async {
    let outbox = Outbox()
    outbox.append(.with { $0.attach.workerID = "w" })
    outbox.append(.with { $0.outcomes = [outcome(1)] })
    outbox.append(.with { $0.outcomes = [outcome(2)] })
    outbox.append(.with { $0.draining = true })
    outbox.finish()
    let message = await outbox.next()
    #expect(message?.attach.workerID == "w")
    #expect(message?.outcomes.map(\.lease.jobID) == [1, 2])
    #expect(message?.draining == true)
    #expect(await outbox.next() == nil)
  }

  @Test func largeOutcomesTravelInMessagesOfTheirOwn() async {
    let outbox = Outbox()
    for jobID in 1...3 as ClosedRange<UInt64> {
      outbox.append(.with { $0.outcomes = [outcome(jobID, bytes: 400 << 10)] })
    }
    outbox.finish()
    var sizes: [Int] = []
    while let message = await outbox.next() { sizes.append(message.outcomes.count) }
    #expect(sizes == [2, 1])
  }

  @Test func manySmallItemsDoNotMakeAnEndlessMessage() async {
    let outbox = Outbox()
    for jobID in 0..<10_000 as Range<UInt64> {
      outbox.append(.with { $0.released = [.with { $0.jobID = jobID }] })
    }
    outbox.finish()
    var sizes: [Int] = []
    while let message = await outbox.next() { sizes.append(message.released.count) }
    #expect(sizes.reduce(0, +) == 10_000)
    #expect(sizes.allSatisfy { $0 <= 4_096 })
  }

  @Test func readerWaitsForWhatComesNext() async {
    let outbox = Outbox()
    let reader = Task { await outbox.next() }
    outbox.append(.with { $0.draining = true })
    #expect(await reader.value?.draining == true)
  }

  private func outcome(_ jobID: UInt64, bytes: Int = 1) -> AttemptOutcome {
    .with {
      $0.lease.jobID = jobID
      $0.completed = Data(count: bytes)
    }
  }
}
