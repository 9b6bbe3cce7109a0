/// What is wrong in a configuration: in which file and line, under which key, and what is wanted.
struct ConfigurationError: Error, CustomStringConvertible, Equatable {
  /// "FILE:LINE", a flag or a variable's name; nil where the configuration as a whole is meant.
  var place: String?
  /// The dotted path of the key: "queue.lease", "models[2].folder".
  var key: String
  var message: String

  var description: String {
    (place.map { "\($0): " } ?? "") + "\(key): \(message)"
  }
}
