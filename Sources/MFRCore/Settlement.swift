/// How the outcome of a call is known when its caller died inside it.
public enum CommitRule: String, Sendable {
  case none = "NONE"
  case `repeat` = "REPEAT"
  case countIn = "COUNT_IN"
  case countOut = "COUNT_OUT"
  case countBoth = "COUNT_RW"
  case record = "RECORD"
  case position = "POSITION"
  case newDescriptor = "NEWFD"
  case newDescriptors = "NEWFD2"
  case closed = "CLOSED"
  case gone = "GONE"
  case made = "MADE"
  case state = "STATE"
  case child = "CHILD"
  case look = "LOOK"

  /// The rule as the call table writes it, `GONE(0)` included.
  public init?(table text: String) {
    self.init(rawValue: String(text.prefix { $0 != "(" }))
  }
}

/// What the coordinator finds out about a dead replica before it settles the slot it was at.
public struct SettlementFacts: Equatable, Sendable {
  /// Whether the slot at its sequence is claimed by it.
  public var claimed: Bool
  /// Whether it had begun to carry the call out.
  public var begun: Bool
  public var call: UInt32
  public var rule: CommitRule
  /// Totals of the zombie's `/proc/PID/io`, nil when they could not be read.
  public var read: UInt64?
  public var written: UInt64?
  /// What its published calls account for.
  public var readPublished: UInt64
  public var writtenPublished: UInt64
  /// Start of the slot's data, for the rules that the kernel leaves a record for.
  public var record: [UInt8]

  public init(
    claimed: Bool, begun: Bool, call: UInt32, rule: CommitRule, read: UInt64? = nil, written: UInt64? = nil,
    readPublished: UInt64 = 0, writtenPublished: UInt64 = 0, record: [UInt8] = []
  ) {
    self.claimed = claimed
    self.begun = begun
    self.call = call
    self.rule = rule
    self.read = read
    self.written = written
    self.readPublished = readPublished
    self.writtenPublished = writtenPublished
    self.record = record
  }
}

extension SettlementFacts {
  /// What the rules that count saw, for the report of a call that they could not settle; else empty.
  var account: String {
    switch rule {
    case .countIn, .countOut, .countBoth: break
    default: return ""
    }
    guard let read, let written else { return " (/proc/PID/io could not be read)" }
    return " (read \(read) of \(readPublished) bytes accounted for, written \(written) of \(writtenPublished))"
  }
}

/// What becomes of the slot that a dead replica was at.
public enum Settlement: Equatable, Sendable {
  /// It had claimed none.
  case nothing
  /// The call had happened, with this result.
  case done(Int64)
  /// The call had not begun: the slot is free as before, with what an earlier one may have noted about its own attempt.
  case untouched
  /// The call had not happened, or the next one finds out itself: it is free again.
  case retry
  /// It may have happened, and nothing tells: free again, and an output may come twice.
  case unknown

  /// Decides by the commit rule of the call.
  public static func decide(_ facts: SettlementFacts) -> Settlement {
    guard facts.claimed else { return .nothing }
    guard facts.begun else { return .untouched }
    switch facts.rule {
    case .countOut, .countBoth: return counted(facts.written, facts.writtenPublished)
    case .countIn: return counted(facts.read, facts.readPublished)
    case .record: return recorded(facts.record)
    case .child:
      guard let child = facts.record.number(at: 0, bytes: 4), child != 0 else { return .retry }
      return .done(Int64(clamping: child))
    default: return .retry
    }
  }

  private static func counted(_ total: UInt64?, _ published: UInt64) -> Settlement {
    guard let total, total >= published else { return .unknown }
    let moved = total - published
    if moved == 0 { return .retry }
    return moved > UInt64(Int32.max) ? .unknown : .done(Int64(moved))
  }

  /// Layout, written by the shim before the call: 32 bits kind, 32 bits n; from byte 64 on what the kernel fills.
  private static func recorded(_ bytes: [UInt8]) -> Settlement {
    guard let kind = bytes.number(at: 0, bytes: 4), let count = bytes.number(at: 4, bytes: 4) else {
      return .unknown
    }
    switch kind {
    case 1:  // one struct mmsghdr; msg_len is all ones until the message is through
      guard let length = bytes.number(at: 64 + 56, bytes: 4) else { return .unknown }
      return length == 0xffff_ffff ? .retry : .done(Int64(length))
    case 2:  // epoll events of 12 bytes, all ones until written
      var written: UInt64 = 0
      while written < count, let event = bytes.number(at: 64 + Int(written) * 12, bytes: 4), event != 0xffff_ffff {
        written += 1
      }
      return written == 0 ? .retry : .done(Int64(written))
    case 3:  // a file offset before, and the kernel's updated one
      guard let before = bytes.number(at: 64, bytes: 8), let after = bytes.number(at: 72, bytes: 8) else {
        return .unknown
      }
      let moved = Int64(bitPattern: after &- before)
      return moved > 0 ? .done(moved) : .retry
    default: return .unknown
    }
  }
}

extension [UInt8] {
  /// The little-endian number of `width` bytes at `offset`, nil when it is not all there.
  fileprivate func number(at offset: Int, bytes width: Int) -> UInt64? {
    guard offset >= 0, offset + width <= count else { return nil }
    var value: UInt64 = 0
    for index in (0..<width).reversed() { value = value << 8 | UInt64(self[offset + index]) }
    return value
  }
}
