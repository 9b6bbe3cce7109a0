extension UnicodeForm {
  /// Decomposes, orders marks by their combining classes, and composes where the form does.
  func normalized(_ text: NormalizedText) -> NormalizedText {
    if isInert(text.bytes) { return text }
    return text.rewritten { bytes, rewriter in
      var run = CombiningRun(composes: composes)
      var reader = ScalarReader(bytes, 0..<bytes.count)
      while let scalar = reader.next() {
        decompose(scalar) { run.append($0, end: reader.position, to: &rewriter) }
      }
      run.flush(to: &rewriter)
    }
  }

  private func isInert(_ bytes: [UInt8]) -> Bool {
    let tables = NormalizationTables.shared
    return bytes.withUnsafeBufferPointer { bytes in
      var reader = ScalarReader(bytes, 0..<bytes.count)
      while let scalar = reader.next() {
        if scalar >= 0x80, !tables.isInert(scalar, in: self) { return false }
      }
      return true
    }
  }

  private func decompose(_ scalar: UInt32, _ body: (UInt32) -> Void) {
    let tables = NormalizationTables.shared
    if scalar < 0x80 {
      body(scalar)
    } else if Hangul.syllables.contains(scalar) {
      Hangul.decompose(scalar, body)
    } else if isCompatible, let range = tables.compatible[scalar] {
      for index in range { body(tables.compatible.targets[index]) }
    } else if let range = tables.canonical[scalar] {
      for index in range { body(tables.canonical.targets[index]) }
    } else {
      body(scalar)
    }
  }
}

/// A starter and the scalars behind it up to the next one, of which marks are put in order and
/// composed with the starter.
private struct CombiningRun {
  private struct Item {
    var scalar: UInt32
    var combiningClass: UInt8
    var end: Int
  }

  private let composes: Bool
  private var items: [Item] = []
  private var isOrdered = true

  init(composes: Bool) {
    self.composes = composes
  }

  mutating func append(_ scalar: UInt32, end: Int, to rewriter: inout TextRewriter) {
    let combiningClass = scalar < 0x80 ? 0 : UnicodeTables.shared.combiningClasses[scalar]
    if combiningClass == 0 {
      settle()
      if let starter = items.first, items.count == 1, composes,
        starter.combiningClass == 0,
        let composite = NormalizationTables.shared.composite(starter.scalar, scalar)
      {
        items[0] = Item(scalar: composite, combiningClass: 0, end: end)
        return
      }
      write(to: &rewriter)
    } else if let last = items.last, last.combiningClass > combiningClass {
      isOrdered = false
    }
    items.append(Item(scalar: scalar, combiningClass: combiningClass, end: end))
  }

  mutating func flush(to rewriter: inout TextRewriter) {
    settle()
    write(to: &rewriter)
  }

  /// Orders the marks, and composes with the starter those that nothing of their class or a higher
  /// one stands before.
  private mutating func settle() {
    if !isOrdered {
      let start = items[0].combiningClass == 0 ? 1 : 0
      let order = items.indices.dropFirst(start).sorted { first, second in
        (items[first].combiningClass, first) < (items[second].combiningClass, second)
      }
      items.replaceSubrange(start..., with: order.map { items[$0] })
      isOrdered = true
    }
    guard composes, items.count > 1, items[0].combiningClass == 0 else { return }
    var kept = 1
    for item in items[1...] {
      let isBlocked = kept > 1 && items[kept - 1].combiningClass >= item.combiningClass
      if !isBlocked,
        let composite = NormalizationTables.shared.composite(items[0].scalar, item.scalar)
      {
        items[0].scalar = composite
        items[0].end = max(items[0].end, item.end)
      } else {
        items[kept] = item
        kept += 1
      }
    }
    items.removeSubrange(kept...)
  }

  /// Ends may not go back where marks have changed places.
  private mutating func write(to rewriter: inout TextRewriter) {
    var end = 0
    for item in items {
      end = max(end, item.end)
      rewriter.append(item.scalar, upTo: end)
    }
    items.removeAll(keepingCapacity: true)
  }
}
