import MFRCore
import Testing

@Suite("Settlement")
struct SettlementTests {
  private func facts(_ rule: CommitRule, read: UInt64? = nil, written: UInt64? = nil, record: [UInt8] = []) -> SettlementFacts {
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
    #expect(Settlement.decide(facts) == .retry)
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
