import Foundation
import TestSupport

/// What reference implementations gave, by Golden/make_golden.py.
enum GoldenFile {
  static func read<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    let url = PackageFolder.url.appending(path: "Tests/EvaluationTests/Golden/\(name)")
    return try JSONDecoder().decode(type, from: Data(contentsOf: url))
  }
}
