/// A binary heap, least element first, that forgets lazily: what no longer holds stays in it until
/// it comes to the top or the heap is compacted. So a change costs O(log n) however deep the entry
/// lies, and memory stays within twice what is live.
struct LazyHeap<Element: Comparable> {
  private(set) var elements: [Element] = []
  private var compactAtCount = Self.compactAtCountMin

  private static var compactAtCountMin: Int { 64 }

  var top: Element? { elements.first }

  /// - Parameter isLive: asked about every element when the heap has doubled since it was last
  ///   asked.
  mutating func push(_ element: Element, isLive: (Element) -> Bool) {
    elements.append(element)
    siftUp(from: elements.count - 1)
    if elements.count >= compactAtCount { compact(isLive) }
  }

  @discardableResult
  mutating func pop() -> Element? {
    guard let first = elements.first, let last = elements.popLast() else { return nil }
    if !elements.isEmpty {
      elements[0] = last
      siftDown(from: 0)
    }
    return first
  }

  private mutating func compact(_ isLive: (Element) -> Bool) {
    elements.removeAll { !isLive($0) }
    for index in stride(from: elements.count / 2 - 1, through: 0, by: -1) { siftDown(from: index) }
    compactAtCount = max(Self.compactAtCountMin, elements.count * 2)
  }

  private mutating func siftUp(from start: Int) {
    let element = elements[start]
    var index = start
    while index > 0 {
      let parent = (index - 1) / 2
      guard element < elements[parent] else { break }
      elements[index] = elements[parent]
      index = parent
    }
    elements[index] = element
  }

  private mutating func siftDown(from start: Int) {
    let element = elements[start]
    let count = elements.count
    var index = start
    while true {
      var child = 2 * index + 1
      guard child < count else { break }
      if child + 1 < count, elements[child + 1] < elements[child] { child += 1 }
      guard elements[child] < element else { break }
      elements[index] = elements[child]
      index = child
    }
    elements[index] = element
  }
}
