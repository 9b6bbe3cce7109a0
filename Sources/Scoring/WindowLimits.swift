/// What bounds the windows that long documents are scored in.
public struct WindowLimits: Sendable, Equatable {
  /// Tokens that a window shares with the one before it, so that what lies at a cut is read whole
  /// once; never more than a quarter of a window.
  public var overlapTokens = 64
  /// Windows of one document: about 100,000 tokens with a model that takes 512.
  public var windowsMax = 256
  /// Passages of one request, whole documents and windows together. A query that fills the context
  /// leaves windows of a few tokens each, and a large request would have millions of them.
  public var passagesMax = 200_000

  public init() {}
}
