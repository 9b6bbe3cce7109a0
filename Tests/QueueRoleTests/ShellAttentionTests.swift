import Testing

@testable import QueueRole

/// One loop's attention; times in ms.
@Suite struct ShellAttentionTests {
  private final class Loop {
    private var attention = Attention(lapse: .seconds(1), nowMs: 1_000)

    func listens(from: Int64, until: Int64) { attention.listens(fromMs: from, untilMs: until) }

    func excuses(at nowMs: Int64) -> Bool { attention.mustExcuse(nowMs: nowMs) }
  }

  private let loop = Loop()

  @Test func loopThatListensHasNothingToExcuse() {
    for nowMs in stride(from: Int64(1_000), to: 100_000, by: 5_000) {
      loop.listens(from: nowMs + 3, until: nowMs + 4_999)
      #expect(!loop.excuses(at: nowMs + 5_000))
    }
  }

  @Test func stopDuringAWaitIsNoticedAtItsEnd() {
    loop.listens(from: 1_000, until: 1_500)
    #expect(loop.excuses(at: 41_500))
    loop.listens(from: 41_501, until: 41_600)
    #expect(!loop.excuses(at: 41_600))
  }

  @Test func stopDuringATurnIsNoticedInTheNext() {
    loop.listens(from: 1_000, until: 1_100)
    #expect(!loop.excuses(at: 1_050))
    loop.listens(from: 41_050, until: 41_100)
    #expect(loop.excuses(at: 41_051))
    #expect(!loop.excuses(at: 41_052))
  }

  @Test func loopThatDoesNotReadExcusesAgainAndAgain() {
    let times = stride(from: Int64(1_000), through: 5_000, by: 250)
    #expect(times.filter { loop.excuses(at: $0) } == [2_000, 3_000, 4_000, 5_000])
    // It reads again: the last excuse is not long ago.
    loop.listens(from: 5_001, until: 5_010)
    #expect(!loop.excuses(at: 5_010))
  }
}
