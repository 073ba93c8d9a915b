import Foundation
import MFRCore
import Testing

/// The model of Tests/Model settles by rules of its own, in C: it must decide as we do.
@Suite("Model")
struct ModelTests {
  @Test("The model's coordinator settles as Settlement does")
  func settlements() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../Model/settlements.txt")
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }
    #expect(lines.count > 500)
    for line in lines {
      let words = line.split(separator: " ").map { $0.trimmingCharacters(in: [":"]) }
      try #require(words.count == 8 || words.count == 9)
      let numbers = words.map { UInt64($0) ?? 0 }
      var record = [UInt8](repeating: 0, count: 128)
      record.replaceSubrange(0..<4, with: Self.bytes(numbers[5]))
      record.replaceSubrange(120..<124, with: Self.bytes(numbers[6]))
      let facts = SettlementFacts(
        claimed: numbers[0] == 1, begun: numbers[1] == 1, call: 1, rule: try #require(CommitRule(table: words[2])),
        read: 100 + numbers[3], written: 50 + numbers[4], readPublished: 100, writtenPublished: 50, record: record)
      let said: String =
        switch Settlement.decide(facts) {
        case .nothing: "nothing"
        case .untouched: "untouched"
        case .retry, .unknown: "free"
        case .done(let result): "done \(result)"
        }
      #expect(said == words[7...].joined(separator: " "), "\(line)")
    }
  }

  private static func bytes(_ number: UInt64) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
}
