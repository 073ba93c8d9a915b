import ArgumentParser
import CMFRABI
import Glibc
import MFRControl

struct Campaign: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Breaks random replicas again and again, and sums up how the program got over it.",
    discussion: """
      A replica is only broken while another one is whole. Faults are those of `inject`. Status 1: the program \
      ended, or is not whole again afterwards.
      """)
  @Argument(help: "Name or pid of a program.") var program: String
  @Option(help: "Kinds of faults, separated by commas.") var faults = "kill,poison"
  @Option(help: "Time between faults: 200ms, 2s, 1m.") var every = Span(nanoseconds: 200_000_000)
  @Option(name: .customLong("for"), help: "How long.") var time = Span(nanoseconds: 60_000_000_000)
  @Option(help: "Of all that is chosen at random.") var seed: UInt64 = 1
  @Flag(help: "Print the summary as JSON.") var json = false

  func validate() throws {
    if try kinds().isEmpty { throw ValidationError("--faults is \(ControlRequest.Injection.Fault.list)") }
  }

  private func kinds() throws -> [ControlRequest.Injection.Fault] {
    try faults.split(separator: ",").map { name in
      guard let fault = ControlRequest.Injection.Fault(rawValue: String(name)) else {
        throw ValidationError("--faults is \(ControlRequest.Injection.Fault.list)")
      }
      return fault
    }
  }

  func run() throws {
    let set = try Client.find(program)
    guard set.level > 0 else { throw Failure("\(set.program) runs at level 0: nobody could take over") }
    var drill = Drill(set: set, faults: try kinds(), seed: seed)
    try drill.run(every: every.nanoseconds, time: time.nanoseconds)
    print(json ? drill.summary.text : drill.text)
    if drill.failed { throw ExitCode.failure }
  }
}

/// A time on the command line.
struct Span: ExpressibleByArgument, CustomStringConvertible {
  var nanoseconds: UInt64

  init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  init?(argument: String) {
    for (unit, factor) in [("ms", 1e6), ("us", 1e3), ("s", 1e9), ("m", 60e9), ("", 1e9)] where argument.hasSuffix(unit)
    {
      guard let value = Double(argument.dropLast(unit.count)), value > 0, value * factor < 1e18 else { return nil }
      nanoseconds = UInt64(value * factor)
      return
    }
    return nil
  }

  var description: String {
    nanoseconds % 1_000_000_000 == 0 ? "\(nanoseconds / 1_000_000_000)s" : "\(nanoseconds / 1_000_000)ms"
  }
}

/// One campaign: what was planted, and what the coordinator told of it.
private struct Drill {
  private typealias Fault = ControlRequest.Injection.Fault

  private let set: SetStatus
  private let faults: [ControlRequest.Injection.Fault]
  private var random: SplitMix
  private var planted: [String: Int] = [:]
  private var refused: [String: Int] = [:]
  private var passedOver = 0
  /// Replicas that are broken and have not come to it yet.
  private var broken: Set<Int32> = []
  private var lost = 0
  private var causes: [String: Int] = [:]
  private var recovered = 0
  private var decisions: [Int64] = []
  private var recoveries: [Int64] = []
  /// Which coordinator told the last event, and its number.
  private var coordinator: Int64?
  private var last: UInt64 = 0
  private var final: SetStatus?
  private var elapsed: UInt64 = 0
  private let terminal = isatty(2) == 1

  init(set: SetStatus, faults: [ControlRequest.Injection.Fault], seed: UInt64) {
    self.set = set
    self.faults = faults
    random = SplitMix(seed: seed)
  }

  mutating func run(every: UInt64, time: UInt64) throws {
    let start = mfr_host_now_ns()
    var next = start
    var shown = start
    try listen(telling: false)
    while mfr_host_now_ns() - start < time {
      next += every
      Self.sleep(until: min(next, start + time))
      guard mfr_host_now_ns() - start < time, let status = try look() else { break }
      breakOne(status)
      try listen()
      let now = mfr_host_now_ns()
      if now - shown > (terminal ? 200_000_000 : 5_000_000_000) {
        shown = now
        progress((now - start) / 1_000_000_000)
      }
    }
    if terminal { Self.write("\r\u{1b}[K") }
    elapsed = mfr_host_now_ns() - start
    try settle()
  }

  /// nil: the program has ended.
  private func look() throws -> SetStatus? {
    do {
      guard let json = try Client.ask(set.pid, .status)["set"] else { return nil }
      return SetStatus(json: json)
    } catch {
      if kill(set.pid, 0) != 0 { return nil }
      throw error
    }
  }

  private mutating func breakOne(_ status: SetStatus) {
    let able = status.replicas.filter { $0.role != "joining" && $0.unshared }
    let whole = able.filter { !broken.contains($0.pid) }
    let choice = whole.count > 1 ? able : whole.count == 1 ? able.filter { broken.contains($0.pid) } : []
    guard let victim = choice.randomElement(using: &random), let fault = faults.randomElement(using: &random) else {
      passedOver += 1
      return
    }
    let places: [ControlRequest.Injection.Place] = [.heap, .stack, .data]
    let injection = ControlRequest.Injection(
      fault: fault, target: .index(victim.index), place: places.randomElement(using: &random) ?? .heap,
      seed: random.next() >> 1)
    do {
      let answer = try Client.ask(set.pid, .inject(injection))
      planted[fault.rawValue, default: 0] += 1
      if let pid = answer["pid"]?.integer { broken.insert(Int32(clamping: pid)) }
    } catch {
      refused["\(error)", default: 0] += 1
    }
  }

  /// Takes in what has happened since the last time.
  private mutating func listen(telling: Bool = true) throws {
    guard let answer = try? Client.ask(set.pid, .events(after: last)) else { return }
    if let now = answer["coordinator"]?.integer, now != coordinator {
      // Another coordinator counts from 1.
      let first = coordinator == nil
      coordinator = now
      last = 0
      if !first { return try listen() }
    }
    last = UInt64(clamping: answer["last"]?.integer ?? 0)
    if telling { for event in answer["events"]?.array ?? [] { note(event) } }
  }

  private mutating func note(_ event: JSON) {
    switch event["event"]?.string {
    case "lost":
      if let pid = event["pid"]?.integer { broken.remove(Int32(clamping: pid)) }
      lost += 1
      causes[event["cause"]?["kind"]?.string ?? "unknown", default: 0] += 1
      if let time = event["us_to_decision"]?.integer { decisions.append(time) }
    case "in_step":
      guard let time = event["us_to_in_step"]?.integer else { return }
      recovered += 1
      recoveries.append(time)
    default: break
    }
  }

  /// Waits until the program is whole again, as long as that makes progress.
  private mutating func settle() throws {
    var quiet = mfr_host_now_ns()
    var known = 0
    while let status = try look() {
      final = status
      try listen()
      let whole = status.replicas.filter { $0.role != "joining" && $0.unshared }.count
      let hangs = status.replicas.contains { broken.contains($0.pid) } && (planted["hang"] ?? planted["spin"] ?? 0) > 0
      if whole > status.level, !hangs { return }
      if lost + recovered != known {
        known = lost + recovered
        quiet = mfr_host_now_ns()
      }
      // One that hangs is given up after ten seconds, if nobody has said otherwise.
      if mfr_host_now_ns() - quiet > 15_000_000_000 { return }
      usleep(20_000)
    }
    final = nil
  }

  // MARK: what to say

  private func progress(_ seconds: UInt64) {
    let text =
      "\(seconds) s: \(planted.values.reduce(0, +)) planted, \(lost) lost, \(recovered) recovered"
      + (decisions.isEmpty ? "" : "; decided \(Self.spread(decisions))")
    Self.write(terminal ? "\r\u{1b}[K\(text)" : text + "\n")
  }

  private static func write(_ text: String) { _ = text.withCString { Glibc.write(2, $0, strlen($0)) } }

  private static func sleep(until moment: UInt64) {
    let now = mfr_host_now_ns()
    guard moment > now else { return }
    var left = timespec(tv_sec: Int((moment - now) / 1_000_000_000), tv_nsec: Int((moment - now) % 1_000_000_000))
    var rest = timespec()
    while nanosleep(&left, &rest) != 0, errno == EINTR { left = rest }
  }

  private var lostForGood: Int {
    guard let final else { return Int(set.level) + 1 }
    return max(0, Int(final.level) + 1 - final.replicas.filter { $0.role != "joining" && $0.unshared }.count)
  }
  var failed: Bool { final == nil || lostForGood > 0 }

  private static func quantile(_ times: [Int64], _ part: Double) -> Int64 {
    let sorted = times.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
  }
  private static func spread(_ times: [Int64]) -> String {
    guard let most = times.max() else { return "-" }
    return "p50 \(milliseconds(quantile(times, 0.5))), p99 \(milliseconds(quantile(times, 0.99))),"
      + " max \(milliseconds(most)) ms"
  }
  private static func milliseconds(_ microseconds: Int64) -> String {
    "\(microseconds / 1000).\(microseconds % 1000 / 100)\(microseconds % 100 / 10)"
  }
  private static func list(_ counts: [String: Int]) -> String {
    counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
  }

  var text: String {
    var lines = [
      "\(set.program) (pid \(set.pid)), level \(set.level), \(elapsed / 1_000_000_000) s",
      "planted         \(planted.values.reduce(0, +)): \(Self.list(planted))"
        + (passedOver > 0 ? "; passed over \(passedOver): nobody else was whole" : ""),
      "lost            \(lost)\(causes.isEmpty ? "" : ": " + Self.list(causes))", "recovered       \(recovered)",
      "time to decide  \(Self.spread(decisions))", "time in step    \(Self.spread(recoveries))",
      "lost for good   \(lostForGood)",
    ]
    for (reason, count) in refused.sorted(by: { $0.key < $1.key }) {
      lines.append("refused         \(count): \(reason)")
    }
    if let final {
      lines.append("afterwards      \(final.state)\(final.reason.isEmpty ? "" : " - \(final.reason)")")
    } else {
      lines.append("afterwards      the program has ended")
    }
    return lines.joined(separator: "\n")
  }

  var summary: JSON {
    func counts(_ counts: [String: Int]) -> JSON {
      .object(counts.sorted { $0.key < $1.key }.map { .init($0.key, JSON($0.value)) })
    }
    func spread(_ times: [Int64]) -> JSON {
      guard let most = times.max() else { return .null }
      return .object([
        .init("p50", .integer(Self.quantile(times, 0.5))), .init("p99", .integer(Self.quantile(times, 0.99))),
        .init("max", .integer(most)),
      ])
    }
    return .object([
      .init("schema", .integer(1)), .init("program", .string(set.program)), .init("pid", JSON(set.pid)),
      .init("level", JSON(set.level)), .init("seconds", JSON(elapsed / 1_000_000_000)),
      .init("planted", counts(planted)),
      .init("refused", counts(refused)), .init("passed_over", JSON(passedOver)), .init("lost", JSON(lost)),
      .init("causes", counts(causes)), .init("recovered", JSON(recovered)), .init("lost_for_good", JSON(lostForGood)),
      .init("us_to_decision", spread(decisions)), .init("us_to_in_step", spread(recoveries)),
      .init("state", .string(final?.state ?? "ended")), .init("reason", .string(final?.reason ?? "")),
    ])
  }
}
