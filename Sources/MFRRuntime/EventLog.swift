import CMFRABI
import Glibc
import MFRControl
import MFRCore

/// Tells what happens: one JSON object per line in the events file, one readable line on stderr with `-v`.
final class EventLog {
  private let buffer: SyncBuffer
  private let verbose: Bool
  let file: EventFile?
  /// What went wrong with the file, empty when nothing did; shown by `mfr-ctl status`.
  var trouble: String { file?.trouble ?? "" }
  /// The last events, for `mfr-ctl campaign`.
  private var recent: [JSON] = []
  private var written: UInt64 = 0
  private static let remembered = 256

  init(buffer: SyncBuffer, path: String, verbose: Bool) {
    self.buffer = buffer
    self.verbose = verbose
    file = path.isEmpty ? nil : EventFile(path)
  }

  func write(_ event: Event) {
    let json = json(event)
    file?.append(json.text + "\n")
    recent.append(json)
    written += 1
    if recent.count > Self.remembered { recent.removeFirst() }
    if verbose { Self.say(readable(event)) }
  }

  /// A line on stderr, dropped when stderr would block.
  static func say(_ text: String) {
    var ready = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
    guard poll(&ready, 1, 0) == 1, ready.revents & Int16(POLLOUT) != 0 else { return }
    let line = "mfr: \(text)\n"
    _ = line.withCString { Glibc.write(2, $0, min(strlen($0), 4096)) }
  }

  /// Events after that number, the oldest first, and the number of the last one.
  func events(after number: UInt64) -> (events: [JSON], last: UInt64) {
    let fresh = written > number ? min(Int(clamping: written - number), recent.count) : 0
    return (Array(recent.suffix(fresh)), written)
  }

  // MARK: form

  private func json(_ event: Event) -> JSON {
    let base = buffer.base
    var members: [JSON.Member] = [
      .init("time", .string(Self.timestamp(mfr_host_realtime_ns()))), .init("monotonic_ns", JSON(mfr_host_now_ns())),
      .init("level", .string(Self.name(event.level))), .init("event", .string(event.name)),
      .init("set", JSON(buffer.load(mfr_header_set_id(base)))),
      .init("anchor", JSON(buffer.anchor)), .init("program", .string(buffer.program)),
    ]
    if let replica = event.replica { members.append(.init("replica", JSON(replica.rawValue))) }
    if let pid = event.pid { members.append(.init("pid", JSON(pid.rawValue))) }
    if let cause = event.cause { members.append(.init("cause", Self.json(cause))) }
    if let sequence = event.sequence { members.append(.init("sequence", JSON(sequence.rawValue))) }
    if let call = event.call { members.append(.init("call", .string(CallTable.name(call)))) }
    if let settlement = event.settlement { members.append(.init("settled", .string(Self.text(settlement)))) }
    if let time = event.untilDecision { members.append(.init("us_to_decision", Self.microseconds(time))) }
    if let time = event.untilInStep { members.append(.init("us_to_in_step", Self.microseconds(time))) }
    if let time = event.sinceClone { members.append(.init("us_from_clone", Self.microseconds(time))) }
    if let text = event.text { members.append(.init("text", .string(text))) }
    return .object(members)
  }

  private func readable(_ event: Event) -> String {
    var words = ["\(buffer.program)[\(buffer.anchor)]", event.name]
    if let replica = event.replica { words.append("replica \(replica.rawValue)") }
    if let pid = event.pid { words.append("(pid \(pid.rawValue))") }
    if let sequence = event.sequence { words.append("at \(sequence.rawValue)") }
    if let call = event.call { words.append("in \(CallTable.name(call))") }
    if let cause = event.cause { words.append("by \(Self.text(cause))") }
    if let settlement = event.settlement, settlement != .nothing { words.append("settled as \(Self.text(settlement))") }
    if let time = event.untilDecision { words.append("decided after \(Self.microseconds(time).text) us") }
    if let time = event.untilInStep { words.append("replaced after \(Self.microseconds(time).text) us") }
    if let time = event.sinceClone { words.append("in step \(Self.microseconds(time).text) us after its clone") }
    if let text = event.text, !text.isEmpty { words.append("- \(text)") }
    return words.joined(separator: " ")
  }

  private static func json(_ cause: Event.Cause) -> JSON {
    var members: [JSON.Member] = [.init("kind", .string(cause.kind))]
    if let signal = cause.signal { members.append(.init("signal", JSON(signal))) }
    if let code = cause.code { members.append(.init("code", JSON(code))) }
    if let address = cause.address { members.append(.init("address", .string("0x" + String(address, radix: 16)))) }
    if let status = cause.status { members.append(.init("status", JSON(status))) }
    return .object(members)
  }

  private static func text(_ cause: Event.Cause) -> String {
    var text = cause.kind
    if let signal = cause.signal { text += " (signal \(signal)" + (cause.code.map { ", code \($0)" } ?? "") + ")" }
    if let address = cause.address { text += " at 0x" + String(address, radix: 16) }
    if let status = cause.status { text += " status \(status)" }
    return text
  }

  private static func text(_ settlement: Settlement) -> String {
    switch settlement {
    case .nothing: "nothing"
    case .done(let result): "done(\(result))"
    case .retry, .untouched: "retry"
    case .unknown: "unknown"
    }
  }

  private static func name(_ level: Event.Level) -> String {
    switch level {
    case .info: "info"
    case .warning: "warning"
    case .error: "error"
    }
  }

  private static func microseconds(_ time: Duration) -> JSON {
    let (seconds, attoseconds) = time.components
    return .integer(seconds &* 1_000_000 &+ attoseconds / 1_000_000_000_000)
  }

  /// UTC, to the microsecond, as ISO 8601 has it.
  static func timestamp(_ nanoseconds: UInt64) -> String {
    var seconds = time_t(nanoseconds / 1_000_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func pad(_ value: some BinaryInteger, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let date = "\(pad(parts.tm_year + 1900, 4))-\(pad(parts.tm_mon + 1, 2))-\(pad(parts.tm_mday, 2))"
    let clock = "\(pad(parts.tm_hour, 2)):\(pad(parts.tm_min, 2)):\(pad(parts.tm_sec, 2))"
    return "\(date)T\(clock).\(pad(nanoseconds / 1000 % 1_000_000, 6))Z"
  }
}
