/// Finds the documents that make a request fail by asking for parts of it. Pure: it asks nobody.
///
/// A part known to fail is cut in two and its left half asked. Where that succeeds, the right half
/// has the culprit, and is cut in turn without being asked; where it fails, the right half is asked
/// too. So each level costs at most two requests, and a culprit among n documents at most 2·⌈log₂
/// n⌉.
struct Bisection {
  /// Documents that failed by themselves, in the order in which they were found.
  private(set) var culprits: [Int] = []

  /// Parts of which nothing is known.
  private var unknown: [Range<Int>] = []
  /// Parts that hold a culprit.
  private var suspects: [Range<Int>]
  private var asked: (part: Range<Int>, sibling: Range<Int>?)?

  /// - Parameter range: a part that failed, of two documents or more.
  init(_ range: Range<Int>) {
    suspects = [range]
  }

  /// The part to ask next; nil when all is known.
  mutating func next() -> Range<Int>? {
    if let part = unknown.popLast() {
      asked = (part, nil)
      return part
    }
    guard let suspect = suspects.popLast() else { return nil }
    guard suspect.count > 1 else {
      // Its guilt was inferred. Perhaps it only fails in company.
      asked = (suspect, nil)
      return suspect
    }
    let middle = suspect.lowerBound + suspect.count / 2
    asked = (suspect.lowerBound..<middle, middle..<suspect.upperBound)
    return suspect.lowerBound..<middle
  }

  /// What came of the part that ``next()`` gave.
  mutating func record(failed: Bool) {
    guard let (part, sibling) = asked else { return }
    asked = nil
    if failed {
      if part.count == 1 { culprits.append(part.lowerBound) } else { suspects.append(part) }
      if let sibling { unknown.append(sibling) }
    } else if let sibling {
      suspects.append(sibling)
    }
  }
}
