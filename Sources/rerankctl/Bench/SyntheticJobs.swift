import RerankdClient
import RerankdProtocol

/// Jobs of made-up English words: the same number gives the same job, and no two documents are alike,
/// since an engine may score equal ones once.
struct SyntheticJobs {
  var documents: Int
  var wordsPerDocument: Int

  static let queryWords = 8

  /// Into what a job is by the command's flags.
  func request(_ number: Int, in defaults: RerankRequest) -> RerankRequest {
    var words = WordSequence(seed: UInt64(number))
    var request = defaults
    request.query = Content(text: words.text(Self.queryWords))
    request.documents = (0..<documents).map { place in
      Content(text: "\(number).\(place) \(words.text(max(0, wordsPerDocument - 1)))")
    }
    return request
  }
}

/// SplitMix64 over a short list of words.
private struct WordSequence {
  private static let words = """
    the of and to in is it that for was on are as with they at be this from have or by one had not \
    but what all were when we there can an your which their said if do will each about how up out \
    them then she many some so these would other into has more her two like him see time could no \
    make than first been its who now people my made over did down only way find use may water long \
    little very after words called just where most know
    """.split(separator: " ")

  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func text(_ count: Int) -> String {
    (0..<count).map { _ in Self.words[Int(next() % UInt64(Self.words.count))] }
      .joined(separator: " ")
  }

  private mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
