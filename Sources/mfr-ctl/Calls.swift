import ArgumentParser
import CMFRABI

struct Calls: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints what MFR does with each system call.")
  @Flag(help: "Print the table of docs/calls.md.") var markdown = false

  func run() throws {
    let titles = ["nr", "call", "class", "commit rule", "flags", "arguments", "where"]
    var table = Table(titles, right: [0])
    var lines = [
      "# System calls", "",
      "Made from `CShim/ABI/include/mfr_calls.def` by `mfr-ctl calls --markdown`; that file explains the words.", "",
      "| " + titles.joined(separator: " | ") + " |", "|" + String(repeating: "---|", count: titles.count),
    ]
    let first = mfr_call_rows_first()
    for offset in 0..<Int(mfr_call_row_count) {
      let cells = cells(of: first[offset])
      table.add(cells)
      lines.append("| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |")
    }
    print(markdown ? lines.joined(separator: "\n") : table.text)
  }

  private func cells(of row: mfr_call_row) -> [String] {
    func text(_ pointer: UnsafePointer<CChar>) -> String { String(cString: pointer) }
    let arguments = [row.args.0, row.args.1, row.args.2, row.args.3, row.args.4, row.args.5]
    let patterns = arguments.prefix(Int(min(row.arity, 6))).map(text).joined(separator: ", ")
    let flags = text(row.flags)
    let place = text(row.where)
    let file = place.hasPrefix("IN_FILE(") ? "calls/" + place.dropFirst(8).dropLast() + ".c" : "generic"
    return [
      String(row.number), text(row.name), text(row.call_class).lowercased(), text(row.commit).lowercased(),
      flags == "0" ? "-" : flags.lowercased(), patterns.isEmpty ? "-" : patterns, file,
    ]
  }
}
