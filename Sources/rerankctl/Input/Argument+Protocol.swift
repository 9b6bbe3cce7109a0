public import ArgumentParser
public import RerankdProtocol

extension JobID: ExpressibleByArgument {
  /// "shard-sequence", as every command prints it.
  public init?(argument: String) {
    self.init(argument)
  }
}

extension JobState: ExpressibleByArgument {
  /// "ready", "dead" and so on.
  public init?(argument: String) {
    guard
      let state = JobState.allCases.first(where: { $0 != .unspecified && $0.word == argument })
    else { return nil }
    self = state
  }

  public static var allValueStrings: [String] {
    allCases.filter { $0 != .unspecified }.map(\.word)
  }
}
