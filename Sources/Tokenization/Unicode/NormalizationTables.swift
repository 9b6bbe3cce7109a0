/// Decompositions and compositions of Unicode, as the reference implementation has them.
struct NormalizationTables: Sendable {
  static let shared = NormalizationTables()

  /// Full canonical decompositions; Hangul syllables are left to arithmetic.
  let canonical: UnicodeTables.Folds
  /// Full compatibility decompositions where they differ from the canonical ones.
  let compatible: UnicodeTables.Folds
  /// For each scalar a bit for each ``UnicodeForm`` that a text with it may not be in already.
  private let suspects: ScalarTable<UInt8>
  private let composites: [UInt64: UInt32]

  private init() {
    let canonical = UnicodeTables.Folds(NormalizationTableData.canonical)
    let compatible = UnicodeTables.Folds(NormalizationTableData.compatible)
    let isComposite = UnicodeTables.table(NormalizationTableData.composites, hasGaps: true)
    let combiningClasses = UnicodeTables.shared.combiningClasses
    let composites = Self.pairs(isComposite.scalars, canonical)
    var seconds = Set(composites.keys.map { UInt32(truncatingIfNeeded: $0) })
    seconds.formUnion(Hangul.vowels)
    seconds.formUnion(Hangul.trailing)

    var suspects = ScalarTable<UInt8>()
    var unsettled = Set(canonical.scalars + compatible.scalars + combiningClasses.scalars)
    unsettled.formUnion(seconds)
    unsettled.formUnion(Hangul.syllables)
    for scalar in unsettled {
      let isCanonical = canonical[scalar] != nil || Hangul.syllables.contains(scalar)
      let isCompatible = compatible[scalar] != nil
      let isMark = combiningClasses[scalar] != 0
      let isGone = canonical[scalar] != nil && isComposite[scalar] == 0
      var bits: UInt8 = 0
      if isCanonical || isMark { bits |= UnicodeForm.nfd.bit | UnicodeForm.nfkd.bit }
      if isCompatible { bits |= UnicodeForm.nfkc.bit | UnicodeForm.nfkd.bit }
      if isGone || isMark || seconds.contains(scalar) {
        bits |= UnicodeForm.nfc.bit | UnicodeForm.nfkc.bit
      }
      suspects.fill(Int(scalar)..<Int(scalar) + 1, with: bits)
    }
    self.canonical = canonical
    self.compatible = compatible
    self.composites = composites
    self.suspects = suspects
  }

  /// Whether a text without other scalars than such ones is in the form.
  @inline(__always)
  func isInert(_ scalar: UInt32, in form: UnicodeForm) -> Bool {
    suspects[scalar] & form.bit == 0
  }

  /// The primary composite of two scalars.
  func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if let syllable = Hangul.composite(first, second) { return syllable }
    return composites[Self.key(first, second)]
  }

  private static func key(_ first: UInt32, _ second: UInt32) -> UInt64 {
    UInt64(first) << 32 | UInt64(second)
  }

  /// The data name the composites alone: a composite's pair is what all but the last scalar of its
  /// decomposition compose to, and that last one; so shorter ones come first.
  private static func pairs(
    _ composed: [UInt32], _ canonical: UnicodeTables.Folds
  ) -> [UInt64: UInt32] {
    var pairs: [UInt64: UInt32] = [:]
    let parts = composed.compactMap { scalar in
      canonical[scalar].map { (scalar, Array(canonical.targets[$0])) }
    }
    let lengthMax = parts.map(\.1.count).max() ?? 0
    for length in 2...max(2, lengthMax) {
      for (scalar, scalars) in parts where scalars.count == length {
        let first = scalars.dropFirst().dropLast().reduce(scalars[0]) { first, second in
          pairs[key(first, second)] ?? first
        }
        pairs[key(first, scalars[length - 1])] = scalar
      }
    }
    return pairs
  }
}

/// One of Unicode's normalisation forms.
enum UnicodeForm: Sendable {
  case nfc, nfd, nfkc, nfkd

  var bit: UInt8 {
    switch self {
    case .nfc: 1
    case .nfd: 2
    case .nfkc: 4
    case .nfkd: 8
    }
  }

  var composes: Bool { self == .nfc || self == .nfkc }
  var isCompatible: Bool { self == .nfkc || self == .nfkd }
}

/// Hangul syllables are made of their letters by arithmetic: the Unicode Standard, 3.12.
enum Hangul {
  static let leading = UInt32(0x1100)..<0x1113
  static let vowels = UInt32(0x1161)..<0x1176
  static let trailing = UInt32(0x11A8)..<0x11C3
  static let syllables = UInt32(0xAC00)..<0xD7A4

  /// Calls `body` with the two or three letters of a syllable.
  static func decompose(_ syllable: UInt32, _ body: (UInt32) -> Void) {
    let index = syllable - syllables.lowerBound
    body(leading.lowerBound + index / 588)
    body(vowels.lowerBound + index % 588 / 28)
    if index % 28 != 0 { body(trailing.lowerBound - 1 + index % 28) }
  }

  static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if leading.contains(first), vowels.contains(second) {
      let index = (first - leading.lowerBound) * 21 + second - vowels.lowerBound
      return syllables.lowerBound + index * 28
    }
    if syllables.contains(first), (first - syllables.lowerBound).isMultiple(of: 28),
      trailing.contains(second)
    {
      return first + second - trailing.lowerBound + 1
    }
    return nil
  }
}
