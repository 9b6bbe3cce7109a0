/// What is wrong in a configuration: where, under which key, and what is wanted there.
package struct ConfigurationError: Error, CustomStringConvertible, Equatable {
  /// "FILE:LINE", a flag or a variable's name; nil where the configuration as a whole is meant.
  package var place: String?
  /// The dotted path of the key: "queue.workers.lease", "models[2].folder".
  package var key: String
  package var message: String
  /// What else is wrong: a configuration is read to its end, so that all of it is said at once.
  package var others: [ConfigurationError] = []

  package init(place: String? = nil, key: String, message: String) {
    self.place = place
    self.key = key
    self.message = message
  }

  /// nil for none.
  init?(_ problems: [ConfigurationError]) {
    guard let first = problems.first else { return nil }
    self = first
    others = Array(problems.dropFirst())
  }

  /// This one and the others, in the order in which they were found.
  package var all: [ConfigurationError] {
    var alone = self
    alone.others = []
    return [alone] + others
  }

  /// A line for each problem.
  package var description: String {
    all.map { ($0.place.map { "\($0): " } ?? "") + "\($0.key): \($0.message)" }
      .joined(separator: "\n")
  }
}
