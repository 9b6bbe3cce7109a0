import Foundation
import FuzzTargets
import TestSupport
import Testing

/// The corpus of `Tests/Fuzz/run`: what once broke a target, and what leads deep into each. A broken
/// promise traps, and with it this run ends: the last line says in which file, and the damage is the
/// same in every run.
@Suite(.serialized) struct FuzzCorpusTests {
  private static let damagesPerFile = 300

  private static func files(_ target: FuzzTarget) throws -> [URL] {
    let folder = PackageFolder.url.appending(path: "Tests/Fuzz/Corpus/\(target.rawValue)")
    return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .sorted { $0.path < $1.path }
  }

  @Test(arguments: FuzzTarget.allCases)
  func corpusAndItsDamageAreTakenOrRefused(_ target: FuzzTarget) throws {
    let files = try Self.files(target)
    #expect(!files.isEmpty)
    for file in files {
      print("\(target.rawValue)/\(file.lastPathComponent)")
      let whole = [UInt8](try Data(contentsOf: file))
      target.run(whole)
      var generator = SeededGenerator(seed: UInt64(whole.count))
      for _ in 0..<Self.damagesPerFile { target.run(Self.damaged(whole, &generator)) }
    }
  }

  /// Up to three changes: a byte, a cut, a repetition, or a number that sizes stumble over.
  private static func damaged(_ whole: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = whole
    for _ in 0...Int.random(in: 0..<3, using: &generator) {
      guard !bytes.isEmpty else { return bytes }
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
      case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 2: bytes.removeSubrange(place...)
      case 3:
        let end = min(bytes.count, place + Int.random(in: 1...16, using: &generator))
        bytes.insert(contentsOf: bytes[place..<end], at: place)
      default:
        let end = min(bytes.count, place + 4)
        bytes.replaceSubrange(place..<end, with: [0xFF, 0xFF, 0xFF, 0x7F].prefix(end - place))
      }
    }
    return bytes
  }
}
