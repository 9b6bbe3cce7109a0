/// English words without their endings. Porter, "An algorithm for suffix stripping" (1980), step by
/// step as the paper has it.
///
/// The measure m of a stem is how often a vowel is followed by a consonant in it. A vowel is a, e,
/// i, o or u, or a y after a consonant.
struct PorterStemmer {
  private var word: [UInt8]

  /// - Parameter word: lower-cased. A word of fewer than three letters, or with anything but a to z
  ///   and digits in it, is its own stem; the digits count as consonants ("1960s").
  static func stem(_ word: String) -> String {
    let bytes = Array(word.utf8)
    guard bytes.count > 2, bytes.allSatisfy(isLetterOrDigit) else { return word }
    var stemmer = PorterStemmer(word: bytes)
    stemmer.removePlural()
    stemmer.removePastAndProgressive()
    stemmer.turnYIntoI()
    stemmer.replace(Self.doubleSuffixes) { $0 > 0 }
    stemmer.replace(Self.derivedSuffixes) { $0 > 0 }
    stemmer.removeSuffix()
    stemmer.tidyUp()
    return String(decoding: stemmer.word, as: UTF8.self)
  }

  /// Step 1a.
  private mutating func removePlural() {
    if ends(with: "sses") || ends(with: "ies") {
      word.removeLast(2)
    } else if ends(with: "s"), !ends(with: "ss") {
      word.removeLast()
    }
  }

  /// Step 1b.
  private mutating func removePastAndProgressive() {
    if ends(with: "eed") {
      if measure(word.count - 3) > 0 { word.removeLast() }
      return
    }
    guard let suffix = ["ed", "ing"].first(where: { ends(with: $0) }),
      hasVowel(word.count - suffix.utf8.count)
    else { return }
    word.removeLast(suffix.utf8.count)
    if ["at", "bl", "iz"].contains(where: { ends(with: $0) }) {
      word.append(UInt8(ascii: "e"))
    } else if endsWithDoubleConsonant, !["l", "s", "z"].contains(where: { ends(with: $0) }) {
      word.removeLast()
    } else if measure(word.count) == 1, isShort(word.count) {
      word.append(UInt8(ascii: "e"))
    }
  }

  /// Step 1c.
  private mutating func turnYIntoI() {
    if ends(with: "y"), hasVowel(word.count - 1) { word[word.count - 1] = UInt8(ascii: "i") }
  }

  /// Steps 2 and 3. Of the suffixes that a word ends with, the longest alone is tried.
  private mutating func replace(
    _ suffixes: KeyValuePairs<String, String>, where condition: (Int) -> Bool
  ) {
    let longest = suffixes.filter { ends(with: $0.key) }.max { $0.key.count < $1.key.count }
    guard let (suffix, replacement) = longest else { return }
    let stemCount = word.count - suffix.utf8.count
    guard condition(measure(stemCount)) else { return }
    word.replaceSubrange(stemCount..., with: replacement.utf8)
  }

  /// Step 4.
  private mutating func removeSuffix() {
    let longest = Self.plainSuffixes.filter { ends(with: $0) }.max { $0.count < $1.count }
    guard let longest else { return }
    let stemCount = word.count - longest.utf8.count
    guard measure(stemCount) > 1 else { return }
    if longest == "ion" {
      guard stemCount > 0, [UInt8(ascii: "s"), UInt8(ascii: "t")].contains(word[stemCount - 1])
      else { return }
    }
    word.removeLast(longest.utf8.count)
  }

  /// Step 5.
  private mutating func tidyUp() {
    if ends(with: "e") {
      let stemCount = word.count - 1
      let measure = measure(stemCount)
      if measure > 1 || (measure == 1 && !isShort(stemCount)) { word.removeLast() }
    }
    if ends(with: "ll"), measure(word.count) > 1 { word.removeLast() }
  }

  // MARK: What the rules ask of a word

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private func ends(with suffix: String) -> Bool {
    word.count >= suffix.utf8.count && word.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }

  private func isConsonant(_ index: Int) -> Bool {
    switch word[index] {
    case UInt8(ascii: "a"), UInt8(ascii: "e"), UInt8(ascii: "i"), UInt8(ascii: "o"),
      UInt8(ascii: "u"):
      false
    case UInt8(ascii: "y"): index == 0 || !isConsonant(index - 1)
    default: true
    }
  }

  /// m of the word's first `count` letters.
  private func measure(_ count: Int) -> Int {
    guard count > 1 else { return 0 }
    return (1..<count).count { !isConsonant($0 - 1) && isConsonant($0) }
  }

  private func hasVowel(_ count: Int) -> Bool {
    (0..<count).contains { !isConsonant($0) }
  }

  private var endsWithDoubleConsonant: Bool {
    let last = word.count - 1
    return last > 0 && word[last] == word[last - 1] && isConsonant(last)
  }

  /// The first `count` letters end in consonant, vowel, consonant, the last none of w, x and y.
  private func isShort(_ count: Int) -> Bool {
    guard count > 2 else { return false }
    let last = word[count - 1]
    return isConsonant(count - 3) && !isConsonant(count - 2) && isConsonant(count - 1)
      && ![UInt8(ascii: "w"), UInt8(ascii: "x"), UInt8(ascii: "y")].contains(last)
  }

  private static let doubleSuffixes: KeyValuePairs = [
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize",
    "abli": "able", "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize",
    "ation": "ate", "ator": "ate", "alism": "al", "iveness": "ive", "fulness": "ful",
    "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble",
  ]

  private static let derivedSuffixes: KeyValuePairs = [
    "icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": "",
  ]

  private static let plainSuffixes = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
  ]
}
