import CMFRABI
import MFRCore

/// The call table as data.
public enum CallTable {
  public struct Row: Sendable {
    public var number: UInt32
    public var name: String
    public var rule: CommitRule
  }

  /// Rows by number.
  static let rows: [UInt32: Row] = {
    var result: [UInt32: Row] = [:]
    let first = mfr_call_rows_first()
    for offset in 0..<Int(mfr_call_row_count) {
      let row = first[offset]
      result[row.number] = Row(
        number: row.number, name: String(cString: row.name),
        rule: CommitRule(table: String(cString: row.commit)) ?? .none)
    }
    return result
  }()

  public static func name(_ number: UInt32) -> String { rows[number]?.name ?? "call \(number)" }
  static func rule(_ number: UInt32) -> CommitRule { rows[number]?.rule ?? .none }
}
