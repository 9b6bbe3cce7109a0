public import Foundation
public import Testing

/// Data sets and models that are too large, or not free enough, for the repository: tests that
/// need them are skipped, saying so, where they are absent.
///
/// `RERANKD_TEST_DATA` names the data folder and `RERANKD_TEST_MODELS` the models; without them
/// both are looked for in `shared` beside the checkout.
public enum SharedData {
  public static let data = folder(variable: "RERANKD_TEST_DATA", name: "data")
  public static let models = folder(variable: "RERANKD_TEST_MODELS", name: "models")

  private static func folder(variable: String, name: String) -> URL {
    if let path = ProcessInfo.processInfo.environment[variable], !path.isEmpty {
      return URL(filePath: path, directoryHint: .isDirectory)
    }
    return PackageFolder.url.deletingLastPathComponent()
      .appending(path: "shared/\(name)", directoryHint: .isDirectory)
  }
}

/// The checkout that these tests were built from.
public enum PackageFolder {
  /// From where this file lay when it was compiled; links are followed, since a build may see the
  /// sources through one.
  public static let url = URL(filePath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}

extension Trait where Self == ConditionTrait {
  /// Skips the test unless the file or folder exists under ``SharedData/data``.
  public static func needsSharedData(_ path: String) -> Self {
    needs(SharedData.data.appending(path: path), variable: "RERANKD_TEST_DATA")
  }

  /// Skips the test unless the file or folder exists under ``SharedData/models``.
  public static func needsSharedModel(_ path: String) -> Self {
    needs(SharedData.models.appending(path: path), variable: "RERANKD_TEST_MODELS")
  }

  private static func needs(_ url: URL, variable: String) -> Self {
    .enabled(
      if: FileManager.default.fileExists(atPath: url.path),
      "\(url.path) is absent; set \(variable) to the folder that holds it")
  }
}
