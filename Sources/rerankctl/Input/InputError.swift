/// What is wrong with what was given: in which file and line, and what is wanted.
struct InputError: Error, CustomStringConvertible, Equatable {
  var description: String

  init(_ description: String) {
    self.description = description
  }
}
