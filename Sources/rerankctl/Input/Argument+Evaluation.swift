public import ArgumentParser
public import EmbeddedEngine
public import Evaluation

/// "ndcg@10"
extension Metric: ExpressibleByArgument {}

/// "english", "plain"
extension TextAnalysis: ExpressibleByArgument {}

/// "auto", "fp32", "bf16", "w8a16", "int8"
extension PrecisionSetting: ExpressibleByArgument {}
