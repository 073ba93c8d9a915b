import Foundation
import Testing

@Suite("docs/limits.md")
struct LimitsDocumentTests {
  let document: String
  let sources: String

  init() throws {
    document = try Repository.text("docs/limits.md").joinedLines
    sources = try Repository.sources(below: "CShim/Preload", suffix: ".c").joined(separator: "\n")
  }

  @Test("Tells of every reason for which the shim gives protection up")
  func complete() throws {
    let calls = sources.matches(of: /(?:COLLAPSES|mfr_collapse|mfr_go_native)\([^;{]*?"([^"]+)"(?: : "([^"]+)")?/)
    let reasons = Set(calls.flatMap { [$0.1] + ($0.2.map { [$0] } ?? []) })
    try #require(reasons.count > 20)
    #expect(reasons.filter { !document.contains("\"\($0)\"") }.sorted() == [], "not told")
  }

  @Test("Quotes nothing that the shim does not say")
  func current() {
    let quotes = document.matches(of: /"([^"]+)"/).map { String($0.1) }
    #expect(quotes.filter { !sources.contains("\"\($0)") } == [], "the shim does not say this")
  }
}

@Suite("docs/errors.md")
struct ErrorsDocumentTests {
  /// Where a text is made that a user gets to see as an error.
  private static let makers = [
    "Failure(", "Refusal(", "Invalid(", "Unusable(", "ValidationError(", "refusal(", "Self.fail(", "report(",
    "complain(",
    "description: \"", ".unprotected(\"", "return \"has ", "return \"is ", "growth.pause(", "warning: ",
  ]

  @Test("Has every message of the Swift side")
  func complete() throws {
    let document = try Repository.text("docs/errors.md").joinedLines
    var messages: Set<String> = []
    for source in try Repository.sources(below: "Sources", suffix: ".swift") {
      for line in source.split(separator: "\n") where Self.makers.contains(where: line.contains) {
        for literal in Self.literals(in: line) {
          // What is filled in splits a message; its longest part says which one it is.
          guard let part = literal.max(by: { $0.count < $1.count }), part.count > 12 else { continue }
          messages.insert(part.replacing("mfr-run: ", with: ""))
        }
      }
    }
    #expect(messages.count > 40)
    #expect(messages.filter { !document.contains($0) }.sorted() == [], "not there")
  }

  /// The string literals of a line, each as its parts between interpolations.
  private static func literals(in line: Substring) -> [[String]] {
    var found: [[String]] = []
    var parts: [String]?
    var depth = 0
    var escaped = false
    for character in line {
      guard var current = parts else {
        if character == "\"" { parts = [""] }
        continue
      }
      if depth > 0 {
        depth += character == "(" ? 1 : character == ")" ? -1 : 0
        continue
      }
      if escaped {
        escaped = false
        if character == "(" {
          depth = 1
          current.append("")
        }
      } else if character == "\\" {
        escaped = true
      } else if character == "\"" {
        found.append(current.map { $0.trimmingCharacters(in: .whitespaces) })
        parts = nil
        continue
      } else {
        current[current.count - 1].append(character)
      }
      parts = current
    }
    return found
  }
}

extension Repository {
  static func sources(below folder: String, suffix: String) throws -> [String] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
    return try names.filter { $0.hasSuffix(suffix) }.sorted().map { try text("\(folder)/\($0)") }
  }
}

extension String {
  /// Words that a line break has parted, with blanks between them.
  fileprivate var joinedLines: String { split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}
