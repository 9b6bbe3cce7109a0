public import ArgumentParser
public import Evaluation

/// "ndcg@10"
extension Metric: ExpressibleByArgument {}

/// "english", "plain"
extension TextAnalysis: ExpressibleByArgument {}
