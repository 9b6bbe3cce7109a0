internal import CZeroMQ

/// The libzmq that this process runs with.
public enum ZeroMQLibrary {
  /// "4.3.5"
  public static var version: String {
    var (major, minor, patch): (Int32, Int32, Int32) = (0, 0, 0)
    zmq_version(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }

  /// Whether it was built to encrypt.
  public static var hasCurve: Bool { zmq_has("curve") == 1 }
}
