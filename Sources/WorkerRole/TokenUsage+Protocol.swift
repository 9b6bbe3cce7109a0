import RerankdProtocol
import Scoring

extension TokenUsage {
  init(_ usage: Usage) {
    self.init(
      promptTokens: Int(clamping: usage.promptTokens),
      totalTokens: Int(clamping: usage.totalTokens), estimated: usage.estimated)
  }
}

extension Usage {
  init(_ usage: TokenUsage) {
    self.init()
    promptTokens = UInt64(clamping: usage.promptTokens)
    totalTokens = UInt64(clamping: usage.totalTokens)
    estimated = usage.estimated
  }
}
