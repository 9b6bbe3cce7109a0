/// What is wrong in a configuration: in which file and line, under which key, and what is wanted.
package struct ConfigurationError: Error, CustomStringConvertible, Equatable {
  /// "FILE:LINE", a flag or a variable's name; nil where the configuration as a whole is meant.
  package var place: String?
  /// The dotted path of the key: "queue.lease", "models[2].folder".
  package var key: String
  package var message: String

  package init(place: String? = nil, key: String, message: String) {
    self.place = place
    self.key = key
    self.message = message
  }

  package var description: String {
    (place.map { "\($0): " } ?? "") + "\(key): \(message)"
  }
}
