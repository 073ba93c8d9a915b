import ArgumentParser
import Glibc
import MFRControl
import MFRHarness

struct Servers: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "servers",
    abstract: "Breaks replicas of servers under load; a client that checks every answer must see nothing.")

  @OptionGroup var common: CommonOptions
  @Option(help: "Servers, or 'all'. May be repeated. --list shows them.")
  var server: [String] = []
  @Option(help: "How long to break replicas, per server and level.")
  var seconds = 60.0
  @Option(
    help: """
      Faults, separated by commas: KILL, SEGV, ILL, FPE, BUS, ABRT (signals to one replica), poison, pair (two are \
      killed at once), joiner (one is killed, and its successor while it joins), coordinator (it is killed).
      """)
  var faults = "KILL,SEGV,ILL,FPE,BUS,poison"
  @Option(help: "Milliseconds between faults: from-to.")
  var every = "100-300"
  @Option(help: "Connections of the load.")
  var connections = 16
  @Flag(help: "List the servers and stop.")
  var list = false

  static let usual = [
    "lighttpd-1k", "lighttpd-1k-close", "lighttpd-1m", "lighttpd-1m-close", "beanstalkd", "busybox", "nginx",
  ]

  func run() throws {
    if list {
      for service in Service.all { say("\(padded(service.name, 20)) \(service.about)") }
      return
    }
    let names = server.isEmpty ? Self.usual : server == ["all"] ? Service.all.map(\.name) : server
    let services = try names.map(Service.named)
    let pace = every.split(separator: "-").compactMap { Int64($0) }
    guard pace.count == 2, pace[0] >= 1, pace[0] <= pace[1] else { throw ValidationError("--every \(every)") }
    let chosen = try faults.split(separator: ",").map { try ReplicaFault(String($0)) }
    guard !chosen.isEmpty else { throw ValidationError("--faults: none") }

    var tally = Tally()
    for service in services {
      for level in try common.levels() {
        let levelName = level.map(String.init) ?? "native"
        let again =
          "Scripts/campaign --server \(service.name) --level \(levelName) --seconds \(fixed(seconds, 0))"
          + " --faults \(faults) --every \(every) --seed \(common.seed)"
        let label = padded("\(service.name) level \(levelName)", 28)
        try tally.run(label, keep: common.keep, repeatWith: again) { directory in
          var campaign = try ServerCampaign(
            service, level: level, directory: directory, seed: common.seed, faults: chosen,
            pace: .milliseconds(pace[0])...(.milliseconds(pace[1])))
          defer { campaign.end() }
          return try campaign.run(seconds: seconds, connections: connections)
        }
      }
    }
    try tally.finish()
  }
}

/// What is done to one replica.
enum ReplicaFault: Hashable {
  case signal(String)
  case poison, pair, joiner, coordinator
  private static let named = ["poison": poison, "pair": pair, "joiner": joiner, "coordinator": coordinator]

  init(_ name: String) throws {
    if let fault = Self.named[name] {
      self = fault
    } else if CommonOptions.names[name] != nil {
      self = .signal(name)
    } else {
      throw ValidationError("unknown fault '\(name)'")
    }
  }

  var name: String {
    switch self {
    case .signal(let name): name
    case .poison: "poison"
    case .pair: "pair"
    case .joiner: "joiner"
    case .coordinator: "coordinator"
    }
  }
}

/// One server under load, broken again and again.
struct ServerCampaign {
  private let running: RunningService
  private let level: Int?
  private let faults: [ReplicaFault]
  private let pace: ClosedRange<Duration>
  private var random: SeededRandom
  private var inflicted: [String: Int] = [:]
  private var passedOver = 0
  /// Replicas with a broken page that nobody has touched yet: they are lost already, and are no help to others.
  private var poisoned: Set<pid_t> = []
  private var lastAble = Instant.now
  private var coordinatorKilled: Instant?
  private var log = RecoveryLog()
  private var journal: [String] = []

  init(
    _ service: Service, level: Int?, directory: String, seed: UInt64, faults: [ReplicaFault],
    pace: ClosedRange<Duration>
  ) throws {
    self.level = level
    self.faults = service.answersInChildren ? faults.filter { $0 != .poison } : faults
    if self.faults.isEmpty { throw Failure("\(service.name): poison alone is no test of it, children inherit it") }
    self.pace = pace
    random = SeededRandom(seed: seed)
    running = try RunningService(service, level: level, directory: directory)
  }

  func end() { running.stop() }

  mutating func run(seconds: Double, connections: Int) throws -> String {
    let load = try running.startLoad(seconds: seconds + 1, connections: connections)
    defer {
      load.child.stop(SIGKILL)
      try? File.write(running.directory + "/faults.txt", journal.joined(separator: "\n") + "\n")
    }
    let begun = Instant.now
    let end = begun + .seconds(fraction: seconds)
    if level ?? 0 > 0 {
      while true {
        pause(.nanoseconds(Int64.random(in: pace.lowerBound.nanoseconds...pace.upperBound.nanoseconds, using: &random)))
        guard Instant.now < end else { break }
        if let ending = running.guest.child.poll() { throw Failure("the server ended: \(ending); \(tally)") }
        if load.child.poll() != nil { break }
        try breakOne(since: begun)
      }
    }
    let report = try load.finish(upTo: .seconds(fraction: seconds + 60))
    if let ending = running.guest.child.poll() {
      throw Failure("the server ended: \(ending); \(tally); \(report.text)")
    }
    guard report.isClean else { throw Failure("\(report.text)\n      \(tally)") }
    let summary =
      "\(report.requests) answers right, \(Int(report.requestsPerSecond)) per second, latency max \(shown(report.max))"
    guard let level, level > 0 else { return summary }
    let status = try checkRecovery()
    return """
      \(summary)
            \(tally)
            lost \(log.lost), back in step \(log.inStep): \(log.times)
            at the end \(status.line)
      """
  }

  /// All losses must have been made good.
  private mutating func checkRecovery() throws -> SetStatus {
    try running.guest.waitUntilWhole(upTo: .seconds(10))
    let status = try patientStatus()
    for event in try running.guest.events?.fresh() ?? [] { log.add(event) }
    guard log.lost > 0 else { throw Failure("no replica was lost: \(tally)") }
    // What a coordinator has seen and not yet told dies with it.
    guard coordinatorKilled == nil else { return status }
    guard log.inStep == log.lost, status.respawns == UInt64(log.lost) else {
      throw Failure("lost \(log.lost), in step again \(log.inStep), respawns \(status.respawns): \(tally)")
    }
    return status
  }

  private var tally: String {
    let parts = inflicted.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    let causes = log.causes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    return "faults: \(parts.joined(separator: ", "))\(passedOver > 0 ? ", passed over \(passedOver)" : "")"
      + (causes.isEmpty ? "" : "; losses by cause: \(causes.joined(separator: ", "))")
  }

  /// Breaks a random replica, if another whole one is in step.
  private mutating func breakOne(since begun: Instant) throws {
    let fault = faults.randomElement(using: &random) ?? .signal("KILL")
    if fault == .coordinator { return breakCoordinator(begun) }
    let status = try patientStatus()
    let able = status.replicas.filter(\.isInStep)
    let whole = able.filter { !poisoned.contains($0.pid) }
    let choice = whole.count >= 2 ? able : whole.count == 1 ? able.filter { poisoned.contains($0.pid) } : []
    let enough = fault != .pair || whole.count >= 3
    guard enough, let victim = choice.randomElement(using: &random) else {
      passedOver += 1
      guard Instant.now - lastAble < .seconds(5) else {
        throw Failure("not in step again within 5 s: \(status.line); \(tally)")
      }
      note("passed over \(fault.name): \(status.line)", begun)
      return
    }
    lastAble = .now
    switch fault {
    case .signal(let name):
      let number = CommonOptions.names[name] ?? SIGKILL
      note("\(name) to \(victim.pid), \(victim.role) \(victim.index) at \(victim.sequence)", begun)
      guard kill(victim.pid, number) == 0 else { return }
    case .poison:
      let places: [ControlRequest.Injection.Place] = [.heap, .stack, .data]
      let place = places.randomElement(using: &random) ?? .heap
      let answer = try? running.guest.ask(
        .inject(.init(fault: .poison, target: .index(victim.index), place: place, seed: random.next() >> 1)))
      note(
        "poison in \(place.text) of \(victim.pid), \(victim.role) \(victim.index): \(answer?.text ?? "refused")", begun)
      guard answer != nil else { return }
      poisoned.insert(victim.pid)
    case .pair:
      let both = whole.shuffled(using: &random).prefix(2)
      note("KILL to \(both.map { "\($0.pid), \($0.role)" }) at \(victim.sequence)", begun)
      for one in both { kill(one.pid, SIGKILL) }
    case .joiner:
      let before = Set(running.guest.children)
      note("KILL to \(victim.pid), \(victim.role) \(victim.index) at \(victim.sequence)", begun)
      guard kill(victim.pid, SIGKILL) == 0 else { return }
      let limit = Instant.now + .milliseconds(300)
      var joiner: pid_t?
      while joiner == nil, Instant.now < limit { joiner = running.guest.children.first { !before.contains($0) } }
      pause(.microseconds(Int64.random(in: 0...3000, using: &random)))
      guard let joiner else { break }
      note("KILL to \(joiner), its successor", begun)
      kill(joiner, SIGKILL)
    case .coordinator: break
    }
    inflicted[fault.name, default: 0] += 1
  }

  /// Not too often: the anchor gives up one that dies again and again.
  private mutating func breakCoordinator(_ begun: Instant) {
    if let last = coordinatorKilled, Instant.now - last < .milliseconds(800) { return }
    guard let pid = running.guest.coordinator, kill(pid, SIGKILL) == 0 else { return }
    note("KILL to the coordinator \(pid)", begun)
    coordinatorKilled = .now
    inflicted["coordinator", default: 0] += 1
  }

  /// The status, also when the coordinator is just being replaced.
  private func patientStatus() throws -> SetStatus {
    var last: (any Error)?
    for _ in 0..<400 {
      do { return try running.guest.status() } catch { last = error }
      if let ending = running.guest.child.poll() { throw Failure("the server ended: \(ending); \(tally)") }
      pause(.milliseconds(5))
    }
    throw last ?? Failure("no status")
  }

  private mutating func note(_ text: String, _ begun: Instant) {
    journal.append("\(fixed((Instant.now - begun).seconds, 4)) \(text)")
  }
}
