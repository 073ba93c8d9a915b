import Glibc
import MFRControl
import MFRHarness

/// Breaks replicas of one set of a guest one after the other, and learns from the events file when it is whole again.
struct Breaker {
  let guest: Guest
  private let anchor: pid_t
  private(set) var pids: [pid_t] = []
  private(set) var kills = 0
  private(set) var log = RecoveryLog()

  /// `anchor`: of the set; the guest's own if nil.
  init(_ guest: Guest, anchor: pid_t? = nil) throws {
    self.guest = guest
    self.anchor = anchor ?? guest.child.pid
    pids = try guest.status(ofAnchor: self.anchor).replicas.map(\.pid)
  }

  var isWhole: Bool { pids.count == (guest.level ?? 0) + 1 }

  /// Reads fresh events.
  mutating func look() throws {
    for event in try guest.events?.fresh() ?? [] where event["anchor"]?.integer.map(pid_t.init) == anchor {
      log.add(event)
      guard let pid = event["pid"]?.integer.map(pid_t.init) else { continue }
      switch event["event"]?.string {
      case "lost", "left": pids.removeAll { $0 == pid }
      case "in_step": if !pids.contains(pid) { pids.append(pid) }
      default: break
      }
    }
  }

  mutating func kill(_ signal: Int32, using random: inout SplitMix) {
    guard let victim = pids.randomElement(using: &random) else { return }
    if Glibc.kill(victim, signal) == 0 { kills += 1 }
    pids.removeAll { $0 == victim }
  }
}

/// What the events file tells about losses and recoveries.
struct RecoveryLog {
  private(set) var lost = 0
  private(set) var inStep = 0
  private(set) var divergences = 0
  /// Broken pages of the buffer that were replaced.
  private(set) var breaks = 0
  private(set) var causes: [String: Int] = [:]
  private(set) var decisions: [Duration] = []
  private(set) var recoveries: [Duration] = []

  mutating func add(_ event: JSON) {
    switch event["event"]?.string {
    case "lost":
      // One that never came into step leaves no gap of its own.
      if event["text"]?.string != "before it was in step" { lost += 1 }
      causes[event["cause"]?["kind"]?.string ?? "unknown", default: 0] += 1
      if let time = event["us_to_decision"]?.integer { decisions.append(.microseconds(time)) }
    case "in_step":
      if let time = event["us_to_in_step"]?.integer {
        inStep += 1
        recoveries.append(.microseconds(time))
      }
    case "divergence": divergences += 1
    case "buffer": breaks += 1
    default: break
    }
  }

  var times: String { "decided \(Self.spread(decisions)), in step \(Self.spread(recoveries))" }

  static func spread(_ times: [Duration]) -> String {
    guard let middle = times.median, let late = times.quantile(0.99), let last = times.max() else { return "-" }
    return "p50 \(shown(middle)) p99 \(shown(late)) max \(shown(last))"
  }
}
