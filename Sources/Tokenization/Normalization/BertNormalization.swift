/// How BERT's normaliser treats text before words are cut.
struct BertNormalization: Sendable, Equatable {
  /// Removes control characters; all white space is a blank.
  var cleansText = true
  /// Each CJK ideograph is a word.
  var splitsChineseCharacters = true
  var stripsAccents = true
  var lowercases = true

  private typealias Class = UnicodeTables.Class

  /// The normalised text by itself, for tokenizers whose further stages are not BERT's; for those
  /// that are, `BertWordScanner` does the same on its way.
  func normalized(_ text: NormalizedText) -> NormalizedText {
    let tables = UnicodeTables.shared
    var text = text
    if cleansText {
      text = text.rewrittenByScalar { scalar, position, rewriter in
        let classes = tables.classes[scalar]
        if classes & Class.removed != 0 {
          rewriter.remove(upTo: position)
        } else {
          rewriter.append(classes & Class.whitespace != 0 ? 0x20 : scalar, upTo: position)
        }
      }
    }
    if splitsChineseCharacters {
      text = text.rewrittenByScalar { scalar, position, rewriter in
        let isChinese = tables.classes[scalar] & Class.chinese != 0
        if isChinese { rewriter.append(0x20, upTo: position) }
        rewriter.append(scalar, upTo: position)
        if isChinese { rewriter.append(0x20, upTo: position) }
      }
    }
    if stripsAccents {
      text = Normalizer.removing(UnicodeForm.nfd.normalized(text)) { scalar in
        tables.strippedAccents[scalar]?.isEmpty == true
      }
    }
    return lowercases ? Normalizer.lowercased(text) : text
  }
}
