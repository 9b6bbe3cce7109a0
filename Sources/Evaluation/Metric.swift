import Foundation

/// A number from 0 to 1 for one query's ranking, as trec_eval defines it.
public struct Metric: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    /// `ndcg_cut`: the grade is the gain, the discount is log2(rank + 1), and the ideal ranking has
    /// all judged documents, retrieved or not. Järvelin and Kekäläinen, "Cumulated gain-based
    /// evaluation of IR techniques" (2002).
    case ndcg
    /// `recip_rank`, 0 where the first relevant document stands below the cutoff.
    case mrr
    /// `recall`: the share of the query's relevant documents that stand above the cutoff.
    case recall
  }

  public var kind: Kind
  /// How many documents from the top are looked at.
  public var cutoff: Int

  public init(_ kind: Kind, at cutoff: Int) {
    self.kind = kind
    self.cutoff = cutoff
  }

  /// What is measured unless something else is asked for.
  public static let defaults = [
    Metric(.ndcg, at: 10), Metric(.mrr, at: 10), Metric(.recall, at: 10), Metric(.recall, at: 100),
  ]

  /// The metric of one query.
  ///
  /// A document without a judgement is not relevant. A query without a relevant document has 0 in
  /// everything, and counts in means, as in trec_eval.
  /// - Parameter relevanceLevel: the lowest grade that is relevant to the metrics without gains.
  public func value(of ranking: Ranking, grades: [String: Int], relevanceLevel: Int = 1) -> Double {
    let top = ranking.documents.prefix(cutoff)
    switch kind {
    case .ndcg:
      let ideal = gain(grades.values.sorted(by: >).prefix(cutoff))
      return ideal > 0 ? gain(top.map { grades[$0.id] ?? 0 }) / ideal : 0
    case .mrr:
      let first = top.firstIndex { document in
        grades[document.id].map { $0 >= relevanceLevel } ?? false
      }
      return first.map { 1 / Double($0 + 1) } ?? 0
    case .recall:
      let relevant = grades.values.count { $0 >= relevanceLevel }
      let found = top.count { document in
        grades[document.id].map { $0 >= relevanceLevel } ?? false
      }
      return relevant > 0 ? Double(found) / Double(relevant) : 0
    }
  }

  /// Grades below 1 gain nothing.
  private func gain(_ grades: some Sequence<Int>) -> Double {
    grades.enumerated().reduce(0) { sum, entry in
      entry.element > 0 ? sum + Double(entry.element) / log2(Double(entry.offset + 2)) : sum
    }
  }
}

extension Metric: LosslessStringConvertible {
  /// "ndcg@10"
  public init?(_ text: String) {
    let parts = text.lowercased().split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, let kind = Kind(rawValue: String(parts[0])),
      let cutoff = Int(parts[1]), cutoff > 0
    else { return nil }
    self.init(kind, at: cutoff)
  }

  public var description: String { "\(kind.rawValue)@\(cutoff)" }
}
