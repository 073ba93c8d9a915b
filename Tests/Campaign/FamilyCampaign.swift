import Glibc
import MFRControl
import MFRHarness

/// A server of several sets under load: replicas of all of them are broken.
struct FamilyCampaign {
  private let family: RunningFamily
  private let level: Int?
  private let signals: [String]
  private let pace: ClosedRange<Duration>
  private var random: SplitMix
  private var broken: Set<pid_t> = []
  /// By anchor.
  private var hits: [Int32: Int] = [:]
  private var lastAble = Instant.now

  init(
    _ service: Service, level: Int?, directory: String, seed: UInt64, faults: [ReplicaFault],
    pace: ClosedRange<Duration>
  ) throws {
    self.level = level
    self.pace = pace
    random = SplitMix(seed: seed)
    signals = faults.compactMap { if case .signal(let name) = $0 { name } else { nil } }
    guard !signals.isEmpty else {
      throw Failure("\(service.name): only signals break its replicas, children inherit the rest")
    }
    family = try RunningFamily(
      service, level: level, directory: directory, options: level == nil ? [] : ["--respawn-limit", "0"])
  }

  func end() { family.stop() }

  mutating func run(seconds: Double, connections: Int, rate: Double?) throws -> String {
    let load = try family.startLoad(seconds: seconds + 1, connections: connections, rate: rate)
    defer { load.child.stop(SIGKILL) }
    let end = Instant.now + .seconds(fraction: seconds)
    while level ?? 0 > 0 {
      pause(.nanoseconds(Int64.random(in: pace.lowerBound.nanoseconds...pace.upperBound.nanoseconds, using: &random)))
      guard Instant.now < end, load.child.poll() == nil else { break }
      try breakOne()
    }
    let report = try load.finish(upTo: .seconds(fraction: seconds + 60))
    let tally =
      "hits by anchor: \(hits.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", "))"
    guard report.isClean else { throw Failure("\(report.text)\n      \(tally)") }
    var lines = [
      "\(report.requests) answers right, \(Int(report.requestsPerSecond)) per second, latency max \(shown(report.max))"
    ]
    if level ?? 0 > 0 {
      try family.waitUntilWhole()
      let sets = family.sets()
      lines.append(tally)
      for set in sets {
        lines.append("\(set.pid) \(set.program): lost \(set.lost), divergences \(set.divergences), \(set.line)")
        guard set.lost == set.respawns else {
          throw Failure("made good \(set.respawns): \(lines.joined(separator: "\n      "))")
        }
      }
      // A set that ended has taken its replicas with it; those that serve throughout are here.
      let standing = sets.filter { hits[$0.pid] ?? 0 > 0 && $0.lost > 0 }
      guard !standing.isEmpty else { throw Failure("no replica was lost: \(tally)") }
    }
    guard family.stop() else {
      throw Failure("it does not end when it is asked to: \(lines.joined(separator: "\n      "))")
    }
    return lines.joined(separator: "\n      ")
  }

  /// Breaks a random replica of a random set in which another whole one is in step.
  private mutating func breakOne() throws {
    let sets = family.sets()
    // The pid of one that has gone may be another's by now.
    broken.formIntersection(sets.flatMap { $0.replicas.map(\.pid) })
    let able = sets.filter { set in set.replicas.filter { $0.isInStep && !broken.contains($0.pid) }.count >= 2 }
    guard let set = able.randomElement(using: &random),
      let victim = set.replicas.filter({ $0.isInStep && !broken.contains($0.pid) }).randomElement(using: &random)
    else {
      guard Instant.now - lastAble < .seconds(10) else {
        throw Failure("not in step again within 10 s: \(sets.map { "\($0.pid) \($0.line)" }.joined(separator: "; "))")
      }
      return
    }
    lastAble = .now
    let signal = CommonOptions.names[signals.randomElement(using: &random) ?? "KILL"] ?? SIGKILL
    guard kill(victim.pid, signal) == 0 else { return }
    broken.insert(victim.pid)
    hits[set.pid, default: 0] += 1
  }
}
