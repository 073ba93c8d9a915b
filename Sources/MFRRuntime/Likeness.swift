import CMFRABI
import Glibc

/// What this process shows of itself to others, as the anchor: the guest's name and command line (`ps`, `pgrep`,
/// `pidof`, `killall`), its user and groups, and how the kernel is to treat it (`renice`, `taskset`, `choom`).
///
/// A guest changes its title by writing to its own memory, so there is a look once a second besides those that it asks for.
struct Likeness {
  static let pause: Int64 = 1_000_000_000
  /// Longer command lines are cut.
  private static let limit = 256 << 10

  private var name: [UInt8] = []
  private var commandLine: [UInt8] = []
  /// How each standing was left: this process's, and the leader's.
  private var standings = Standing.all.map { (standing: $0, ours: $0.of(getpid()), theirs: $0.of(getpid())) }
  private var due: UInt64 = 0
  var identity = BorneIdentity()

  /// Looks at the guest, if it is time or the guest has asked for it. Returns the nanoseconds until the next time.
  mutating func look(_ buffer: SyncBuffer, coordinator: Int32) -> Int64 {
    let now = mfr_host_now_ns()
    let asked = buffer.load(mfr_header_renamed(buffer.base)) != 0
    guard asked || now >= due else { return Int64(due &- now) }
    due = now &+ UInt64(Self.pause)
    buffer.store(mfr_header_renamed(buffer.base), 0)  // before it is looked at: what changes now asks again
    // Whatever the buffer says: only children of this process are looked at, and changed.
    let place = buffer.leaderPlace
    if let leader = buffer.replicaPid(place) {
      show(leader)
      if identity.look(leader) { _ = mfr_host_tgkill(getpid(), getpid(), MFR_KICK_SIGNAL) }  // the main thread bears it
      let others = (0..<SyncBuffer.replicaCount).filter { $0 != place }.compactMap(buffer.replicaPid)
      level(leader, others.filter { $0 != coordinator }, coordinator: coordinator)
    }
    return Self.pause
  }

  /// Takes over the name and the command line of a process that executes the guest's program.
  mutating func show(_ pid: Int32) {
    if let now = ProcessFiles.read("/proc/\(pid)/comm", limit: 64), !now.isEmpty, now != name,
      Self.write("/proc/self/comm", now.last == 10 ? now.dropLast() : now[...])
    {
      name = now
    }
    // Of a process that is dying it is empty.
    guard let now = ProcessFiles.read("/proc/\(pid)/cmdline", limit: Self.limit), !now.isEmpty, now != commandLine
    else { return }
    // Where the kernel does not let us, it is not tried again until it changes.
    _ = now.withUnsafeBytes { raw in raw.baseAddress.map { mfr_host_show_command_line($0, raw.count) } ?? 0 }
    commandLine = now
  }

  /// What the guest has set for itself holds for all of it; what somebody else has set for the guest's pid, too.
  /// Otherwise the kernel would choose this process in the place of a guest that it must not choose, say.
  private mutating func level(_ leader: Int32, _ followers: [Int32], coordinator: Int32) {
    let own = getpid()
    for (index, last) in standings.enumerated() {
      let standing = last.standing
      guard let theirs = standing.of(leader), let ours = standing.of(own) else { continue }
      let isOurs = theirs == last.theirs && ours != last.ours
      let new = isOurs ? ours : theirs
      // Each replica sets itself what the guest sets, when it comes to it: earlier, the call itself might fail.
      var wanted = isOurs || standing.isOfLeaderAlone ? ([leader] + followers).map { ($0, new) } : []
      if standing.isShown { wanted.append((own, new)) }
      if coordinator > 0, let its = standing.ofCoordinator(new) { wanted.append((coordinator, its)) }
      for (pid, value) in wanted where standing.of(pid).map({ $0 != value }) ?? false { standing.give(value, to: pid) }
      // Looked at anew: who may not be changed is left as it is, and is no news the next time.
      standings[index] = (standing, standing.of(own), standing.of(leader))
    }
  }

  fileprivate static func write(_ path: String, _ bytes: ArraySlice<UInt8>) -> Bool {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count
  }
}

/// What the kernel keeps for each process and anybody with the right to may change by its pid.
private enum Standing {
  /// `oom_score_adj`: proc(5).
  case score
  /// The nice value: setpriority(2).
  case nice
  /// The processors that it may run on: sched_setaffinity(2).
  case processors
  /// Scheduling policy and real-time priority: sched_setscheduler(2).
  case scheduling
  /// I/O class and priority: ioprio_set(2).
  case ioPriority
  /// A resource limit: prlimit(2).
  case limit(Int32)

  static let all: [Standing] =
    [.score, .nice, .processors, .scheduling, .ioPriority] + (0..<mfr_host_limits()).map { .limit($0) }

  private static func scoreFile(_ pid: Int32) -> String { "/proc/\(pid)/oom_score_adj" }

  /// Whether only the leader does what the guest does to change it: it writes the file.
  var isOfLeaderAlone: Bool { if case .score = self { true } else { false } }

  /// Whether this process takes over what the guest has set for itself. A limit that it might come to itself, it does not.
  var isShown: Bool {
    guard case .limit(let resource) = self else { return true }
    return mfr_host_limit_hurts(resource) == 0
  }

  /// What the coordinator gets where the replicas have `value`; nil: it keeps its own.
  func ofCoordinator(_ value: [UInt8]) -> [UInt8]? {
    switch self {
    case .limit: return nil
    case .nice:
      let nice = Int32(Int8(bitPattern: value[0]))
      return [UInt8(bitPattern: Int8(truncatingIfNeeded: mfr_host_hurried(nice)))]
    case .score, .processors, .scheduling, .ioPriority: return value
    }
  }

  /// nil: there is no such process any more.
  func of(_ pid: Int32) -> [UInt8]? {
    switch self {
    case .score:
      return ProcessFiles.read(Self.scoreFile(pid), limit: 16).flatMap { $0.isEmpty ? nil : $0 }
    case .nice:
      var nice: Int32 = 0
      return mfr_host_nice(pid, &nice) == 0 ? [UInt8(bitPattern: Int8(truncatingIfNeeded: nice))] : nil
    case .processors:
      var set = mfr_processors()
      return mfr_host_processors(pid, &set) == 0 ? bytes(of: set) : nil
    case .scheduling:
      var how = mfr_scheduling()
      return mfr_host_scheduling(pid, &how) == 0 ? bytes(of: how) : nil
    case .ioPriority:
      let value = mfr_host_io_priority(pid)
      return value >= 0 ? bytes(of: value) : nil
    case .limit(let resource):
      var limit = mfr_limit()
      return mfr_host_limit(pid, resource, &limit) == 0 ? bytes(of: limit) : nil
    }
  }

  /// Without the right to, nothing changes.
  func give(_ value: [UInt8], to pid: Int32) {
    switch self {
    case .score:
      _ = Likeness.write(Self.scoreFile(pid), value[...])
    case .nice:
      _ = mfr_host_set_nice(pid, Int32(Int8(bitPattern: value[0])))
    case .processors:
      var set = from(value, as: mfr_processors())
      _ = mfr_host_set_processors(pid, &set)
    case .scheduling:
      var how = from(value, as: mfr_scheduling())
      _ = mfr_host_set_scheduling(pid, &how)
    case .ioPriority:
      _ = mfr_host_set_io_priority(pid, from(value, as: Int32(0)))
    case .limit(let resource):
      var limit = from(value, as: mfr_limit())
      _ = mfr_host_set_limit(pid, resource, &limit)
    }
  }

  private func bytes<Value>(of value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
  private func from<Value>(_ bytes: [UInt8], as initial: Value) -> Value {
    var value = initial
    withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: bytes) }
    return value
  }
}
