import MFRCore
import Testing

@Suite("Settlement")
struct SettlementTests {
  private func facts(_ rule: CommitRule, read: UInt64? = nil, written: UInt64? = nil, record: [UInt8] = [])
    -> SettlementFacts
  {
    SettlementFacts(
      claimed: true, begun: true, call: 1, rule: rule, read: read, written: written, readPublished: 100,
      writtenPublished: 50, record: record)
  }

  @Test("A slot that was not claimed is left alone")
  func notClaimed() {
    var facts = facts(.countOut, written: 60)
    facts.claimed = false
    #expect(Settlement.decide(facts) == .nothing)
  }

  @Test("A claimed call that had not begun is free again, whatever the totals say")
  func notBegun() {
    var facts = facts(.countOut, written: 60)
    facts.begun = false
    #expect(Settlement.decide(facts) == .untouched)
  }

  @Test("Counted: what the total exceeds the published sum by has moved")
  func counted() {
    #expect(Settlement.decide(facts(.countOut, written: 60)) == .done(10))
    #expect(Settlement.decide(facts(.countOut, written: 50)) == .retry)
    #expect(Settlement.decide(facts(.countOut, written: 49)) == .unknown)
    #expect(Settlement.decide(facts(.countOut)) == .unknown)
    #expect(Settlement.decide(facts(.countIn, read: 101, written: 0)) == .done(1))
    #expect(Settlement.decide(facts(.countBoth, read: 0, written: 51)) == .done(1))
  }
}

extension SettlementTests {
  private func record(_ kind: UInt8, _ count: UInt8, _ tail: [(Int, [UInt8])], size: Int = 256) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: size)
    bytes[0] = kind
    bytes[4] = count
    for (offset, part) in tail { bytes.replaceSubrange(offset..<offset + part.count, with: part) }
    return bytes
  }
  private func decide(_ rule: CommitRule, _ record: [UInt8]) -> Settlement {
    Settlement.decide(SettlementFacts(claimed: true, begun: true, call: 1, rule: rule, record: record))
  }

  @Test("Recorded: the message header tells")
  func message() {
    #expect(decide(.record, record(1, 1, [(120, [255, 255, 255, 255])])) == .retry)
    #expect(decide(.record, record(1, 1, [(120, [5, 1, 0, 0])])) == .done(261))
    #expect(decide(.record, record(1, 1, [(120, [0, 0, 0, 0])])) == .done(0))
    #expect(decide(.record, []) == .unknown)
    #expect(decide(.record, record(9, 1, [])) == .unknown)
  }

  @Test("Recorded: events written before the first empty one")
  func events() {
    let empty: [UInt8] = [255, 255, 255, 255]
    #expect(decide(.record, record(2, 2, [(64, empty), (76, empty)])) == .retry)
    #expect(decide(.record, record(2, 2, [(76, empty)])) == .done(1))
    #expect(decide(.record, record(2, 2, [])) == .done(2))
  }

  @Test("Recorded: an offset that moved")
  func offset() {
    #expect(decide(.record, record(3, 0, [(64, [10]), (72, [25])])) == .done(15))
    #expect(decide(.record, record(3, 0, [(64, [10]), (72, [10])])) == .retry)
  }

  @Test("Child: the kernel wrote its pid, or there is none")
  func child() {
    #expect(decide(.child, [57, 1, 0, 0]) == .done(313))
    #expect(decide(.child, [0, 0, 0, 0]) == .retry)
  }

  @Test(
    "Rules that look themselves: the slot is free again",
    arguments: [CommitRule.newDescriptor, .gone, .position, .repeat])
  func lookers(rule: CommitRule) {
    #expect(decide(rule, []) == .retry)
  }

  @Test("The table's words are known")
  func words() {
    #expect(CommitRule(table: "GONE(0)") == .gone)
    #expect(CommitRule(table: "COUNT_RW") == .countBoth)
    #expect(CommitRule(table: "WHAT") == nil)
  }
}
