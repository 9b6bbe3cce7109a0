/// What the linear layers compute with. Residuals, norms and softmax are fp32 in each.
public enum Precision: String, Sendable, CaseIterable {
  case fp32
}
