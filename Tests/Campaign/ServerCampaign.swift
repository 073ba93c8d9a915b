import ArgumentParser
import Glibc
import MFRControl
import MFRHarness

/// One server under load, broken again and again.
struct ServerCampaign {
  private let running: RunningService
  private let level: Int?
  private let faults: [ReplicaFault]
  private let pace: ClosedRange<Duration>
  private var random: SplitMix
  private var inflicted: [String: Int] = [:]
  private var passedOver = 0
  /// Replicas that are broken and have not come to it yet: they are lost already, and are no help to others.
  private var broken: Set<pid_t> = []
  /// The one replica that has wrong bits, and how many.
  private var flipped: (pid: pid_t, bits: Int)?
  /// Successors that were killed, until the events tell of it.
  private var joiners: Set<pid_t> = []
  private var kinds = KindLog()
  private var lastAble = Instant.now
  private var coordinatorKilled: Instant?
  private var log = RecoveryLog()
  private var journal: [String] = []
  private var report: LoadReport?

  init(
    _ service: Service, level: Int?, directory: String, seed: UInt64, faults: [ReplicaFault],
    pace: ClosedRange<Duration>, hangAfter: Double
  ) throws {
    self.level = level
    self.faults = service.answersInChildren ? faults.filter { $0 != .inject(.poison) } : faults
    if self.faults.isEmpty { throw Failure("\(service.name): poison alone is no test of it, children inherit it") }
    self.pace = pace
    random = SplitMix(seed: seed)
    // The faults of this campaign are by its own doing, and a hang takes as long as it is given.
    var options = ["--respawn-limit", "0"]
    if self.faults.contains(.inject(.hang)) || self.faults.contains(.inject(.spin)) {
      options += ["--hang-after", "\(hangAfter)"]
    }
    running = try RunningService(service, level: level, directory: directory, options: level == nil ? [] : options)
  }

  func end() { running.stop() }

  mutating func run(seconds: Double, connections: Int, rate: Double?) throws -> String {
    let load = try running.startLoad(seconds: seconds + 1, connections: connections, rate: rate)
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
    self.report = report
    guard report.isClean else { throw Failure("\(report.text)\n      \(tally)") }
    let summary =
      "\(report.requests) answers right, \(Int(report.requestsPerSecond)) per second, latency max \(shown(report.max))"
    var lines = [summary]
    if level ?? 0 > 0 {
      let status = try checkRecovery()
      lines += [
        tally, "lost \(log.lost), back in step \(log.inStep): \(log.times)",
        "divergences \(log.divergences); at the end \(status.line)",
      ]
    }
    if running.service.keepsFiles { lines.append(try running.checkFiles()) }
    return lines.joined(separator: "\n      ")
  }

  /// All losses must have been made good.
  private mutating func checkRecovery() throws -> SetStatus {
    try running.guest.waitUntilWhole(upTo: .seconds(15))
    // A broken page may be come to only now. Events are told after what they tell of.
    var status = try patientStatus()
    _ = try wait(upTo: .seconds(15), every: .milliseconds(5)) {
      status = try patientStatus()
      return status.isWhole && status.lost == status.respawns
    }
    try listen()
    if faults.contains(.buffer) {
      // What was in the table of replicas, and counts of the last moments, are lost with their pages.
      guard log.breaks > 0 else { throw Failure("no page of the buffer was replaced: \(tally)") }
      return status
    }
    guard status.lost > 0 || faults == [.failover] else { throw Failure("no replica was lost: \(tally)") }
    guard status.lost == status.respawns else {
      throw Failure("lost \(status.lost), made good \(status.respawns): \(tally)")
    }
    // What a coordinator has seen and not yet told dies with it; the counts do not.
    guard coordinatorKilled == nil else { return status }
    guard joiners.isEmpty else {
      throw Failure("killed as joiners and no replicas: \(joiners.sorted()); \(tally)")
    }
    guard log.inStep == log.lost, status.respawns == UInt64(log.lost) else {
      throw Failure("lost \(log.lost), in step again \(log.inStep), respawns \(status.respawns): \(tally)")
    }
    return status
  }

  private var tally: String {
    let parts = inflicted.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    let causes = log.causes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    return "faults: \(parts.joined(separator: ", "))\(passedOver > 0 ? ", passed over \(passedOver)" : "")"
      + (log.breaks > 0 ? "; pages of the buffer replaced: \(log.breaks)" : "")
      + (causes.isEmpty ? "" : "; losses by cause: \(causes.joined(separator: ", "))")
  }

  /// Breaks a random replica, if another whole one is in step.
  private mutating func breakOne(since begun: Instant) throws {
    let fault = faults.randomElement(using: &random) ?? .signal("KILL")
    if fault == .coordinator { return breakCoordinator(begun) }
    let status = try patientStatus()
    let able = status.replicas.filter(\.isInStep)
    let whole = able.filter { !broken.contains($0.pid) }
    // One that hangs already would not notice that it is made to hang once more.
    let slow = fault == .inject(.hang) || fault == .inject(.spin)
    let choice =
      whole.count >= 2
      ? (slow ? whole : able) : whole.count == 1 && !slow ? able.filter { broken.contains($0.pid) } : []
    let enough = fault != .pair || whole.count >= 3
    guard enough, var victim = choice.randomElement(using: &random) else {
      passedOver += 1
      guard Instant.now - lastAble < .seconds(5) else {
        throw Failure("not in step again within 5 s: \(status.line); \(tally)")
      }
      note("passed over \(fault.name): \(status.line)", begun)
      return
    }
    lastAble = .now
    try listen()
    switch fault {
    case .signal(let name):
      let number = CommonOptions.names[name] ?? SIGKILL
      note("\(name) to \(victim.pid), \(victim.role) \(victim.index) at \(victim.sequence)", begun)
      guard kill(victim.pid, number) == 0 else { return }
    case .inject(let kind):
      if kind == .bitflip {
        // A leader whose memory is wrong and not known to be so is not to be masked without a vote.
        guard let next = try nextToFlip(victim, status, begun), next.role != "leader" else { return }
        victim = next
      }
      let places: [ControlRequest.Injection.Place] = [.heap, .stack, .data]
      let place = places.randomElement(using: &random) ?? .heap
      let answer = try? running.guest.ask(
        .inject(.init(fault: kind, target: .index(victim.index), place: place, seed: random.next() >> 1)))
      note(
        "\(kind.rawValue) in \(place.text) of \(victim.pid), \(victim.role) \(victim.index): \(answer?.text ?? "refused")",
        begun)
      guard answer != nil else { return }
      if kind == .bitflip { flipped = (victim.pid, (flipped?.bits ?? 0) + 1) }
    case .pair:
      let both = whole.shuffled(using: &random).prefix(2)
      note("KILL to \(both.map { "\($0.pid), \($0.role)" }) at \(victim.sequence)", begun)
      for one in both {
        kill(one.pid, SIGKILL)
        hit(one.pid, by: fault)
      }
    case .joiner:
      note("KILL to \(victim.pid), \(victim.role) \(victim.index) at \(victim.sequence)", begun)
      guard kill(victim.pid, SIGKILL) == 0 else { return }
      let joiner = successor(of: status, upTo: .milliseconds(300))
      pause(.microseconds(Int64.random(in: 0...3000, using: &random)))
      guard let joiner else { break }
      note("KILL to \(joiner), its successor", begun)
      kill(joiner, SIGKILL)
      joiners.insert(joiner)
      hit(joiner, by: fault)
    case .failover:
      guard let answer = try? running.guest.ask(.failover) else { return }
      note("failover: \(answer.text)", begun)
    case .buffer:
      try breakBuffer(victim, of: status, begun)
      return
    case .coordinator: break
    }
    inflicted[fault.name, default: 0] += 1
    kinds.plant(fault.name)
    if fault != .failover, fault != .pair { hit(victim.pid, by: fault) }
  }

  /// Bits that have made no difference stay wrong, and so they do in whoever is cloned from there: in two replicas they
  /// would be a majority. So one has them all, and goes before another one is flipped. nil: it has just gone.
  private mutating func nextToFlip(_ victim: SetStatus.Replica, _ status: SetStatus, _ begun: Instant) throws
    -> SetStatus.Replica?
  {
    guard let (pid, bits) = flipped else { return victim }
    try listen()
    guard let same = status.replicas.first(where: { $0.pid == pid }) else {
      flipped = nil
      return victim
    }
    if bits < 25, same.role != "leader" { return same }
    flipped = nil
    guard kill(pid, SIGKILL) == 0 else { return nil }
    note("KILL to \(pid), with \(bits) wrong bits that made no difference", begun)
    hit(pid, by: .signal("KILL"))
    kinds.hit(KindLog.cleared, pid)
    return nil
  }

  /// Poisons a page of the buffer for one replica, and waits a moment for what comes of it: a page that breaks in the midst
  /// of a repair ends the guest. A leader has the page replaced and loses the others; a follower dies of it.
  private mutating func breakBuffer(_ victim: SetStatus.Replica, of status: SetStatus, _ begun: Instant) throws {
    let part = ControlRequest.Injection.BufferPart.allCases.randomElement(using: &random)
    let breaks = log.breaks
    let answer = try? running.guest.ask(
      .inject(.init(fault: .poison, target: .index(victim.index), place: .buffer(part), seed: random.next() >> 1)))
    let told = answer?.text ?? "no answer"  // the coordinator may have gone with it
    note("poison in buffer \(part?.rawValue ?? "") of \(victim.pid), \(victim.role) \(victim.index): \(told)", begun)
    inflicted["buffer", default: 0] += 1
    kinds.plant("buffer")
    for replica in status.replicas { kinds.hit("buffer", replica.pid) }
    let come = try wait(upTo: .milliseconds(300), every: .milliseconds(5)) {
      try listen()
      return log.breaks > breaks || Glibc.kill(victim.pid, 0) != 0
    }
    if !come { note("not come to so far", begun) }
    let whole = try wait(upTo: .seconds(10), every: .milliseconds(5)) { try patientStatus().isWhole }
    guard whole else { throw Failure("not in step again within 10 s: \(try patientStatus().line); \(tally)") }
  }

  /// The first replica that was none in `before`. Not the first new child of the anchor: those that the guest forks are its
  /// children, too, and what they were doing for a client would be lost with them.
  private func successor(of before: SetStatus, upTo limit: Duration) -> pid_t? {
    let known = Set(before.replicas.map(\.pid))
    let end = Instant.now + limit
    repeat {
      let now = try? running.guest.status()
      if let joiner = now?.replicas.first(where: { $0.pid > 0 && !known.contains($0.pid) }) { return joiner.pid }
      pause(.microseconds(200))
    } while Instant.now < end
    return nil
  }

  /// On a busy machine it may take long until a process that was killed has come to its end.
  private mutating func hit(_ pid: pid_t, by fault: ReplicaFault) {
    broken.insert(pid)
    kinds.hit(fault.name, pid)
  }

  /// Not too often: one that dies young is replaced ever more slowly.
  private mutating func breakCoordinator(_ begun: Instant) {
    if let last = coordinatorKilled, Instant.now - last < .milliseconds(200) { return }
    guard let pid = running.guest.coordinator, kill(pid, SIGKILL) == 0 else { return }
    note("KILL to the coordinator \(pid)", begun)
    coordinatorKilled = .now
    inflicted["coordinator", default: 0] += 1
    kinds.plant("coordinator")
  }

  /// The status, also when the coordinator is just being replaced.
  private func patientStatus() throws -> SetStatus {
    var last: (any Error)?
    for _ in 0..<2000 {
      do { return try running.guest.status() } catch { last = error }
      if let ending = running.guest.child.poll() { throw Failure("the server ended: \(ending); \(tally)") }
      pause(.milliseconds(5))
    }
    throw last ?? Failure("no status")
  }

  private mutating func listen() throws {
    for event in try running.guest.events?.fresh() ?? [] {
      log.add(event)
      kinds.add(event)
      guard let pid = event["pid"]?.integer.map(pid_t.init) else { continue }
      switch event["event"]?.string {
      case "lost":
        broken.remove(pid)
        joiners.remove(pid)
      case "left": joiners.remove(pid)
      default: break
      }
    }
  }

  /// Rows of a table, one for each kind of fault.
  var rows: String { kinds.rows(running.service.name, level ?? 0, report) }

  private mutating func note(_ text: String, _ begun: Instant) {
    journal.append("\(fixed((Instant.now - begun).seconds, 4)) \(text)")
  }
}

/// What came of each kind of fault.
private struct KindLog {
  /// No kind of fault: replicas that the campaign itself has taken away.
  static let cleared = "cleared"
  private struct Kind {
    var planted = 0
    var lost = 0
    var decisions: [Duration] = []
    var recoveries: [Duration] = []
  }
  private var kinds: [String: Kind] = [:]
  /// Who was broken last by what.
  private var broken: [pid_t: String] = [:]
  /// Losses that are not made good yet: successors come in their order.
  private var open: [String] = []

  mutating func plant(_ kind: String) { kinds[kind, default: Kind()].planted += 1 }

  mutating func hit(_ kind: String, _ pid: pid_t) { broken[pid] = kind }

  mutating func add(_ event: JSON) {
    switch event["event"]?.string {
    case "lost":
      let kind = event["pid"]?.integer.flatMap { broken[pid_t($0)] } ?? "other"
      kinds[kind, default: Kind()].lost += 1
      if let time = event["us_to_decision"]?.integer { kinds[kind]?.decisions.append(.microseconds(time)) }
      if event["text"]?.string != "before it was in step" { open.append(kind) }
    case "in_step":
      guard let time = event["us_to_in_step"]?.integer, !open.isEmpty else { return }
      kinds[open.removeFirst()]?.recoveries.append(.microseconds(time))
    default: break
    }
  }

  func rows(_ server: String, _ level: Int, _ report: LoadReport?) -> String {
    kinds.filter { $0.key != Self.cleared }.sorted { $0.key < $1.key }.map { name, kind in
      "| \(server) | \(level) | \(name) | \(kind.planted) | \(kind.lost) | \(report?.requests ?? 0) |"
        + " \((report?.errors ?? 0) + (report?.wrong ?? 0)), \(report?.doubled ?? 0) |"
        + " \(RecoveryLog.spread(kind.decisions)) | \(RecoveryLog.spread(kind.recoveries)) |\n"
    }.joined()
  }
}
