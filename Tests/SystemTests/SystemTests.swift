import Testing

/// Whole systems: the built binaries as processes of their own, real sockets, real ledger files.
///
/// One test runs at a time, since each starts several processes and measures their time by its
/// own. Every test waits for conditions with generous deadlines, never for time to pass.
@Suite(.serialized) enum SystemTests {}
