import GRDB
import GRDBSQLite

/// A prepared statement, bound and stepped without a layer between: a lifecycle binds some eighty
/// values, and boxing each of them would cost more than SQLite's own work.
///
/// It belongs to its connection's thread, and must be gone before the connection is closed.
final class Statement {
  private let handle: OpaquePointer
  private let connection: OpaquePointer

  init(_ database: Database, _ sql: String) throws(LedgerError) {
    guard let connection = database.sqliteConnection else {
      throw LedgerError(.io, "the connection is closed")
    }
    var handle: OpaquePointer?
    let result = sqlite3_prepare_v3(
      connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
    guard result == SQLITE_OK, let handle else {
      throw LedgerError(
        sqlite: result, String(cString: sqlite3_errmsg(connection)), doing: "preparing \(sql)")
    }
    self.handle = handle
    self.connection = connection
  }

  deinit {
    sqlite3_finalize(handle)
  }

  /// Runs it to its end, with what was bound, and makes it ready for the next binding.
  func run() throws(LedgerError) {
    while try step() {}
  }

  /// Whether there is a row to read. At the end, and after an error, the statement is reset.
  func step() throws(LedgerError) -> Bool {
    let result = sqlite3_step(handle)
    if result == SQLITE_ROW { return true }
    guard result == SQLITE_DONE else {
      let detail = String(cString: sqlite3_errmsg(connection))
      let code = sqlite3_extended_errcode(connection)
      sqlite3_reset(handle)
      let sql = sqlite3_sql(handle).map { String(cString: $0) } ?? ""
      throw LedgerError(sqlite: code, detail, doing: String(sql.prefix(60)))
    }
    sqlite3_reset(handle)
    return false
  }

  /// For a reader that stops before the last row.
  func reset() {
    sqlite3_reset(handle)
  }

  /// How many rows the latest INSERT, UPDATE or DELETE of this connection changed.
  var changes: Int { Int(sqlite3_changes(connection)) }

  // MARK: Binding; indices begin at 1. A failure shows itself as a NULL that a column refuses.

  func bind(_ index: Int32, _ value: Int64) {
    sqlite3_bind_int64(handle, index, value)
  }

  func bind(_ index: Int32, _ value: String?) {
    guard var value else {
      sqlite3_bind_null(handle, index)
      return
    }
    value.withUTF8 { bytes in
      // An empty string may have no address, and SQLite takes a nil address for NULL.
      let start = bytes.baseAddress ?? ("" as StaticString).utf8Start
      sqlite3_bind_text64(
        handle, index, UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self),
        UInt64(bytes.count), copied, UInt8(SQLITE_UTF8))
    }
  }

  func bind(_ index: Int32, _ value: [UInt8]?) {
    guard let value else {
      sqlite3_bind_null(handle, index)
      return
    }
    value.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress, !bytes.isEmpty else {
        _ = sqlite3_bind_zeroblob(handle, index, 0)
        return
      }
      _ = sqlite3_bind_blob64(handle, index, start, UInt64(bytes.count), copied)
    }
  }

  /// Runs it with a blob that is lent and not copied.
  func run(lending value: [UInt8], at index: Int32) throws(LedgerError) {
    let result = value.withUnsafeBytes { bytes -> Result<Void, LedgerError> in
      if let start = bytes.baseAddress, !bytes.isEmpty {
        sqlite3_bind_blob64(handle, index, start, UInt64(bytes.count), nil)
      } else {
        sqlite3_bind_zeroblob(handle, index, 0)
      }
      defer { sqlite3_bind_null(handle, index) }
      return Result { () throws(LedgerError) in try run() }
    }
    try result.get()
  }

  // MARK: Columns; indices begin at 0.

  func int(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

  func text(_ column: Int32) -> String? {
    guard let start = sqlite3_column_text(handle, column) else { return nil }
    let count = Int(sqlite3_column_bytes(handle, column))
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }

  func bytes(_ column: Int32) -> [UInt8]? {
    if isNull(column) { return nil }
    let count = Int(sqlite3_column_bytes(handle, column))
    guard let start = sqlite3_column_blob(handle, column) else { return [] }
    return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
  }
}

/// SQLITE_TRANSIENT: SQLite copies what it is given. The C header makes it by a cast that Swift
/// cannot import.
private let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
