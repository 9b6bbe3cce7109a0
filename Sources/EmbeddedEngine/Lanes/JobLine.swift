/// The jobs that have documents which no lane has taken, and which of these make up the next batch.
///
/// Jobs get their turns in order. The one in front gives the next batch as many documents as it
/// holds, and goes to the end of the line; what room it leaves is filled by those behind it that
/// are for the same model, which keep their places. So a small job waits for one batch of each job
/// before it at most, however large they are, and many small jobs share a batch.
struct JobLine<Job: AnyObject> {
  private struct Place {
    let job: Job
    let model: ObjectIdentifier
    /// Of the job's documents, in the order in which they are to be scored.
    let tokenCounts: [Int]
    /// The first that no lane has taken.
    var next = 0
    /// Of that one and those after it.
    var tokensLeft: Int

    var isDone: Bool { next == tokenCounts.count }

    mutating func take(within room: Int, atLeast least: Int) -> Range<Int> {
      let first = next
      var room = room
      while !isDone, next - first < least || tokenCounts[next] <= room {
        room -= tokenCounts[next]
        tokensLeft -= tokenCounts[next]
        next += 1
      }
      return first..<next
    }
  }

  private var places: [Place] = []

  var isEmpty: Bool { places.isEmpty }

  /// - Parameter tokenCounts: of the job's documents, in the order in which they are to be scored.
  mutating func append(_ job: Job, model: ObjectIdentifier, tokenCounts: [Int]) {
    places.append(
      Place(
        job: job, model: model, tokenCounts: tokenCounts, tokensLeft: tokenCounts.reduce(0, +)))
  }

  /// Takes back what no lane has taken.
  mutating func remove(_ job: Job) {
    places.removeAll { $0.job === job }
  }

  /// The next batch: of jobs for one model the documents that stand at these numbers in their
  /// order.
  ///
  /// - Parameters:
  ///   - tokensMax: what a batch holds; a document above it goes alone.
  ///   - freeLanes: how many lanes have nothing to do, the one that asks included. What waits is
  ///     shared among them, so that a job of few documents keeps none of them idle.
  mutating func takeBatch(
    tokensMax: Int, freeLanes: Int
  ) -> [(job: Job, documents: Range<Int>)] {
    guard let model = places.first?.model else { return [] }
    let waiting = places.reduce(0) { $1.model == model ? $0 + $1.tokensLeft : $0 }
    var room = min(tokensMax, (waiting + freeLanes - 1) / freeLanes)
    var batch: [(job: Job, documents: Range<Int>)] = []
    for index in places.indices where places[index].model == model && room > 0 {
      let tokensLeft = places[index].tokensLeft
      let documents = places[index].take(within: room, atLeast: index == 0 ? 1 : 0)
      guard !documents.isEmpty else { continue }
      room -= tokensLeft - places[index].tokensLeft
      batch.append((places[index].job, documents))
    }
    places.append(places.removeFirst())
    places.removeAll(where: \.isDone)
    return batch
  }
}
