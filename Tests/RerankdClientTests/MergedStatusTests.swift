import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import RerankdClient

@Suite struct MergedStatusTests {
  private func status(_ shard: UInt32, ready: UInt64) -> StatusResponse {
    var status = StatusResponse()
    status.shard = shard
    status.workers = 3
    status.counters.submitted = ready
    status.ledger.fileBytes = 100
    status.ledger.acceptsSubmits = true
    var model = ModelStatus()
    model.model.name = "m"
    model.ready = ready
    model.oldestReadyMs = 10 * ready
    status.models = [model]
    return status
  }

  @Test func jobsAndCountersAreAddedUp() {
    var second = status(1, ready: 5)
    second.ledger.acceptsSubmits = false
    second.models[0].priorities = [
      .with {
        $0.priority = 2; $0.ready = 5
      }
    ]
    let merged = StatusResponse.merged([status(0, ready: 2), second])
    #expect(merged.models.count == 1)
    #expect(merged.models[0].ready == 7)
    #expect(merged.models[0].oldestReadyMs == 50)
    #expect(merged.models[0].priorities.map(\.priority) == [2])
    #expect(merged.counters.submitted == 7)
    #expect(merged.ledger.fileBytes == 200)
    #expect(!merged.ledger.acceptsSubmits)
    // The same workers attach to both.
    #expect(merged.workers == 3)
  }

  /// Every counter that the protocol has is added up.
  @Test func noCounterIsForgotten() throws {
    var one = StatusResponse()
    one.counters = try counters(each: 1)
    #expect(one.counters.submitted == 1)
    #expect(try StatusResponse.merged([one, one]).counters == counters(each: 2))
  }

  /// All fields up to a number that is far from being reached, without those that are none.
  private func counters(each value: UInt8) throws -> Counters {
    let bytes = (1...100).flatMap { number -> [UInt8] in
      let tag = number << 3
      return (tag < 128 ? [UInt8(tag)] : [UInt8(tag & 127 | 128), UInt8(tag >> 7)]) + [value]
    }
    var counters = try Counters(serializedBytes: bytes)
    counters.unknownFields = UnknownStorage()
    return counters
  }
}
