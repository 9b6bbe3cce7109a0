import Synchronization

/// What the pairs of jobs under way begin with, computed once for each.
///
/// A prefix is found by its model and its tokens. The one that was not asked for the longest goes
/// when all together would take more than the limit; a job that misses it has it computed again, to
/// the same bits.
final class PrefixCache: Sendable {
  private final class Slot: Sendable {
    let model: EmbeddedModel
    let tokens: [Int32]
    let bytes: Int
    /// Held while the prefix is computed, so that the lanes of a job wait for it rather than each
    /// compute it.
    let prefix = Mutex<SharedPrefix?>(nil)

    init(model: EmbeddedModel, tokens: [Int32], bytes: Int) {
      self.model = model
      self.tokens = tokens
      self.bytes = bytes
    }
  }

  let bytesMax: Int
  /// Whoever was asked for last stands last.
  private let slots = Mutex<[Slot]>([])

  init(bytesMax: Int) {
    self.bytesMax = bytesMax
  }

  /// Bytes of all prefixes, those being computed included.
  var byteCount: Int { slots.withLock { $0.reduce(0) { $0 + $1.bytes } } }

  /// What sequences have in common that are to be scored by a model: a decoder's longest common
  /// beginning as far as it may be kept, a query's segment whole or not at all.
  ///
  /// - Parameters:
  ///   - progress: called after each layer, if the prefix has to be computed.
  ///   - scratch: gives so many floats.
  /// - Returns: nil where nothing is shared, or the model cannot share, or there is no room.
  func prefix(
    ofPairsBeginningWith tokens: [Int32], model: EmbeddedModel, progress: () -> Void = {},
    scratch: (Int) -> FloatBuffer
  ) -> SharedPrefix? {
    let tokenBytes = model.network.prefixBytesPerToken
    guard tokenBytes > 0 else { return nil }
    let kept = Array(tokens.prefix(bytesMax / tokenBytes))
    guard !kept.isEmpty, model.network.sharedPart == .beginning || kept.count == tokens.count else {
      return nil
    }
    let slot = slots.withLock { slots in
      let slot: Slot
      if let index = slots.firstIndex(where: { $0.model === model && $0.tokens == kept }) {
        slot = slots.remove(at: index)
      } else {
        slot = Slot(model: model, tokens: kept, bytes: kept.count * tokenBytes)
      }
      slots.append(slot)
      while slots.reduce(0, { $0 + $1.bytes }) > bytesMax { slots.removeFirst() }
      return slot
    }
    return slot.prefix.withLock { prefix in
      if prefix == nil {
        let floats = model.network.scratchFloats(tokens: kept.count, longest: kept.count)
        prefix = model.network.prefix(of: kept, scratch: scratch(floats), progress: progress)
      }
      return prefix
    }
  }
}
