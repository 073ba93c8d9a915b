import Foundation

/// The files under test, found from where this source lies.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }
}

/// A word of a row: `IN_N(6, 2)` is name `IN_N`, numbers `[6, 2]`.
struct Word: Equatable, CustomStringConvertible {
  let name: String
  let numbers: [Int]

  init?(_ text: String) {
    guard let open = text.firstIndex(of: "(") else {
      (name, numbers) = (text, [])
      return
    }
    guard text.hasSuffix(")") else { return nil }
    name = String(text[..<open])
    let inner = text[text.index(after: open)...].dropLast().split(separator: ",")
    numbers = inner.compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    guard numbers.count == inner.count else { return nil }
  }

  var description: String {
    numbers.isEmpty ? name : "\(name)(\(numbers.map(String.init).joined(separator: ", ")))"
  }
}

/// One `MFR_CALL` line of `mfr_calls.def`, read as text and not through the C compiler.
struct CallRow {
  let number: Int
  let name: String
  let callClass: String
  let commit: Word
  let flags: Set<String>
  let arity: Int
  let arguments: [Word]
  /// Name of the file in `CShim/Preload/calls`, nil for `GENERIC`.
  let file: String?

  init?(line: String) {
    guard line.hasPrefix("MFR_CALL("), line.hasSuffix(")") else { return nil }
    let cells = Self.cells(line.dropFirst("MFR_CALL(".count).dropLast())
    guard cells.count == 13, let number = Int(cells[0]), let arity = Int(cells[5]),
      let commit = Word(cells[3])
    else { return nil }
    let arguments = cells[6..<12].compactMap { Word($0) }
    guard arguments.count == 6 else { return nil }
    self.number = number
    name = cells[1]
    callClass = cells[2]
    self.commit = commit
    flags = cells[4] == "0" ? [] : Set(cells[4].components(separatedBy: " | "))
    self.arity = arity
    self.arguments = arguments
    if cells[12] == "GENERIC" {
      file = nil
    } else if cells[12].hasPrefix("IN_FILE("), cells[12].hasSuffix(")") {
      file = String(cells[12].dropFirst("IN_FILE(".count).dropLast())
    } else {
      return nil
    }
  }

  /// Splits at the commas that are not inside parentheses.
  private static func cells(_ text: Substring) -> [String] {
    var cells = [""]
    var depth = 0
    for character in text {
      if character == "(" { depth += 1 }
      if character == ")" { depth -= 1 }
      if character == ",", depth == 0 {
        cells.append("")
      } else {
        cells[cells.count - 1].append(character)
      }
    }
    return cells.map { $0.trimmingCharacters(in: .whitespaces) }
  }
}

struct CallTable {
  let rows: [CallRow]
  /// Lines that look like rows and are none.
  let unreadable: [String]

  init(text: String) {
    let lines = text.split(separator: "\n").map(String.init).filter { $0.contains("MFR_CALL(") && !$0.hasPrefix("//") }
    var rows: [CallRow] = []
    var unreadable: [String] = []
    for line in lines {
      if let row = CallRow(line: line) { rows.append(row) } else { unreadable.append(line) }
    }
    (self.rows, self.unreadable) = (rows, unreadable)
  }

  static func load() throws -> CallTable {
    CallTable(text: try Repository.text("CShim/ABI/include/mfr_calls.def"))
  }
}

/// One line of `entries.def`.
struct Entry {
  let symbol: String
  let call: String
  let arguments: Int

  static func load() throws -> [Entry] {
    try Repository.text("CShim/Preload/entries.def").matches(
      of: /(?m)^MFR_ENTRY\((\w+), *(\w+), *(\d+)\)/
    ).map { Entry(symbol: String($0.1), call: String($0.2), arguments: Int($0.3)!) }
  }
}
