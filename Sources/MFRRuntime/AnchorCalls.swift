import CMFRABI
import Glibc
import MFRControl

/// Calls that the anchor makes for the guest, because they belong to the process that the outside sees.
///
/// It answers each sequence number exactly once: the same number posted again, by a replica that took over from
/// a dead one, gets the answer that it had.
struct AnchorCalls {
  /// Pids of replicas that were reaped; their SIGCHLD may come later than that.
  private var reapedReplicas: Set<Int32> = []
  private var answered: (sequence: UInt64, number: UInt32, result: Int64, data: [UInt8])?
  /// Children of the guest whose end has been told to it.
  private var told: Set<Int32> = []
  /// Children of the guest seen so far: saves looking through /proc.
  private var known: Set<Int32> = []
  /// Children that had ended before the guest said that they shall vanish: these do not.
  private var kept: Set<Int32> = []
  /// The guest ignores SIGCHLD, or has SA_NOCLDWAIT: children vanish when they end.
  private var vanish = false
  private var timers = CpuTimers()
  var posixTimers = PosixTimers()
  private var leader: Int32 = 0
  /// PR_SET_PDEATHSIG of the guest. The kernel keeps it by thread, and forgets it in a new one.
  private var deathSignal = mfr_host_get_pdeathsig()

  private let base: UnsafeMutableRawPointer
  private let descriptor: Int32

  init(_ buffer: SyncBuffer, _ descriptor: Int32) {
    base = buffer.base
    self.descriptor = descriptor
  }

  private static let dataBytes = 1024
  private static let statusAt = 0
  private static let usageAt = 16
  private static let infoAt = 256

  /// The answer to the posted call if there is one now; a wait for a child stays posted.
  mutating func serve(_ buffer: SyncBuffer, own: Set<Int32>) -> Int64? {
    vanish = Self.childrenVanish(buffer)
    leader = buffer.leaderPid
    guard buffer.load(mfr_host_rpc_state(base)) == MFR_RPC_POSTED.rawValue else { return nil }
    let call = mfr_host_rpc(base)
    let sequence = call.pointee.seq
    let data = UnsafeMutableRawBufferPointer(start: mfr_host_rpc_data(base), count: Self.dataBytes)
    // What is sent to a socket goes to each that asks.
    if let answered, answered.sequence == sequence, answered.number == call.pointee.nr,
      answered.number != MFR_ASK_BUFFER
    {
      data.copyBytes(from: answered.data)
      return answered.result
    }
    let arguments = [
      call.pointee.args.0, call.pointee.args.1, call.pointee.args.2, call.pointee.args.3, call.pointee.args.4,
      call.pointee.args.5,
    ]
    guard var result = perform(call.pointee.nr, arguments, data, own) else {
      guard buffer.load(mfr_host_rpc_cancel(base)) != 0 else { return nil }
      return Int64(-EINTR)  // not remembered: a repeat of this sequence waits anew
    }
    if [37, 38].contains(call.pointee.nr) { takeAlarm(buffer) }
    if result < -4095 { result = Int64(-EINVAL) }
    answered = (sequence, call.pointee.nr, result, Array(data))
    buffer.store(mfr_header_posix_timers(base), UInt32(posixTimers.count))
    return result
  }

  /// What the interval timer has sent before it was set anew comes with the call that did so, and not later.
  private func takeAlarm(_ buffer: SyncBuffer) {
    var signal = RawSignal()
    guard buffer.load(mfr_header_mode(base)) == MFR_MODE_LANE.rawValue,
      signal.wait(for: 1 << UInt64(SIGALRM - 1), timeout: 0) == SIGALRM
    else { return }
    _ = signal.bytes.withUnsafeBytes { raw in
      raw.baseAddress.map { mfr_signal_post(base, UInt32(SIGALRM), $0, 0, 0) }
    }
  }

  /// On the thread that answers calls, before it does: from now on it holds the signal that this process was given.
  func takeDeathSignal() {
    if deathSignal > 0 { _ = mfr_host_pdeathsig(deathSignal) }
  }

  static func childrenVanish(_ buffer: SyncBuffer) -> Bool {
    let bit: UInt64 = 1 << UInt64(SIGCHLD - 1)
    return buffer.load(mfr_header_sig_ignored(buffer.base)) & bit != 0
      || buffer.load(mfr_header_sig_child_flags(buffer.base)) & 2 != 0
  }

  /// Signals of timers that are due now, and in how many nanoseconds to ask again.
  mutating func dueTimers(leader: Int32) -> (signals: [RawSignal], pause: Int64?) { timers.due(leader: leader) }

  /// CLOCK_PROCESS_CPUTIME_ID and CLOCK_THREAD_CPUTIME_ID: the shim says these, whatever the guest's name for them.
  private static let cpuClocks: ClosedRange<Int32> = 2...3
  /// What the guest would read from them now.
  private func cpuClock() -> UInt64 { mfr_host_usage_clock(base, leader, mfr_host_cpu_ns(leader, 0)) }

  func finish(_ buffer: SyncBuffer, _ answer: Int64) {
    let state = mfr_host_rpc_state(buffer.base)
    mfr_host_rpc(buffer.base).pointee.result = answer
    buffer.store(state, MFR_RPC_ANSWERED.rawValue)
    _ = mfr_host_futex_wake(state, Int32.max)
  }

  /// The result of a call, or nil when it has to wait.
  private mutating func perform(
    _ number: UInt32, _ arguments: [UInt64], _ data: UnsafeMutableRawBufferPointer, _ own: Set<Int32>
  ) -> Int64? {
    func int(_ index: Int) -> Int32 { Int32(truncatingIfNeeded: arguments[index]) }
    let me = getpid()
    func target(_ pid: Int32) -> Int32 { pid == me || own.contains(pid) ? 0 : pid }
    func outcome(_ result: Int32) -> Int64 { result < 0 ? Int64(-errno) : Int64(result) }
    guard let start = data.baseAddress else { return Int64(-EINVAL) }

    switch number {
    case MFR_ASK_BUFFER:
      return Int64(mfr_host_send_descriptor(descriptor, start, min(Int(arguments[0]), Self.dataBytes)))
    case 61: return wait4(int(0), int(2), data, own)
    case 247: return waitid(int(0), int(1), int(3), data, own)
    case 109: return outcome(setpgid(target(int(0)), int(1)))
    case 111: return outcome(getpgid(0))
    case 121: return outcome(getpgid(target(int(0))))
    case 112: return outcome(setsid())
    case 124: return outcome(getsid(target(int(0))))
    case 110: return Int64(getppid())
    case 62, 200, 234, 424: return send(number, arguments, data)
    case 37: return Int64(alarm(UInt32(truncatingIfNeeded: arguments[0])))
    case 13:
      settleChildren(own)
      return 0
    case 36 where int(0) == 0: return Int64(mfr_host_getitimer(0, start))
    case 38 where int(0) == 0: return Int64(mfr_host_setitimer(0, start, start + 32))
    case 36: return Int64(timers.get(int(0), data, at: 0, leader: leader))
    case 38: return Int64(timers.set(int(0), data, leader: leader))
    case 222 where Self.cpuClocks.contains(int(0)):
      let made = posixTimers.createOfCpu(data)
      if made.number > 0 { timers.add(made.number, signal: made.signal) }
      return Int64(min(made.number, 0))
    case 222: return posixTimers.create(int(0), data)
    case 223 where PosixTimers.isOfCpu(int(0)):
      let absolute = int(1) & 1 != 0
      return Int64(timers.set(int(0), data, leader: leader, clock: absolute ? cpuClock() : nil))
    case 223: return posixTimers.set(int(0), int(1), start)
    case 224 where PosixTimers.isOfCpu(int(0)): return Int64(timers.get(int(0), data, at: 0, leader: leader))
    case 224: return posixTimers.get(int(0), start)
    case 225: return posixTimers.overrun(int(0))
    case 226:
      if PosixTimers.isOfCpu(int(0)) { timers.remove(int(0)) }
      return posixTimers.delete(int(0))
    case 59:
      for number in posixTimers.deleteAll() { timers.remove(number) }
      return 0
    case 157 where int(0) == 1:
      let result = mfr_host_pdeathsig(int(1))
      if result == 0 { deathSignal = int(1) }
      return Int64(result)
    case 157 where int(0) == 2:
      data.storeBytes(of: deathSignal, toByteOffset: 0, as: Int32.self)
      return 0
    case 157 where int(0) == 36:
      if int(1) != 0 { expectOrphans() }
      return Int64(mfr_host_subreaper(int(1) != 0 ? 1 : 0))
    case 157 where int(0) == 37:
      let now = mfr_host_subreaper(-1)
      data.storeBytes(of: now, toByteOffset: 0, as: Int32.self)
      return now < 0 ? Int64(now) : 0
    default: return Int64(-ENOSYS)
    }
  }

  /// Whoever gets a signal of the guest's sees this process as its sender, with the guest's uid.
  private func send(_ number: UInt32, _ arguments: [UInt64], _ data: UnsafeMutableRawBufferPointer) -> Int64 {
    let pid = Int32(truncatingIfNeeded: arguments[0])
    let ownGroup = number == 62 && (pid == 0 || (pid < -1 && pid == -getpgid(0)))
    data.storeBytes(of: ownGroup ? 1 : 0, toByteOffset: 0, as: UInt64.self)
    return mfr_host_send_as(
      number, arguments.map { Int64(bitPattern: $0) }, UInt32(truncatingIfNeeded: arguments[4]),
      UInt32(truncatingIfNeeded: arguments[4] >> 32), arguments[5] != 0 ? 1 : 0)
  }

  // MARK: children of the guest

  private enum Waited {
    case child(RawSignal)
    case notYet
    case failed(Int32)
  }

  private mutating func wait4(
    _ pid: Int32, _ options: Int32, _ data: UnsafeMutableRawBufferPointer, _ own: Set<Int32>
  ) -> Int64? {
    let allowed = WNOHANG | 2 | WCONTINUED | 0x2000_0000 | 0x4000_0000 | Int32(bitPattern: 0x8000_0000)
    if options & ~allowed != 0 { return Int64(-EINVAL) }
    let kind: idtype_t
    let id: Int32
    switch pid {
    case 1...: (kind, id) = (P_PID, pid)
    case 0: (kind, id) = (P_PGID, getpgid(0))
    case -1: (kind, id) = (P_ALL, 0)
    case Int32.min: return Int64(-ESRCH)
    default: (kind, id) = (P_PGID, -pid)
    }
    switch take(kind, id, options & ~WNOHANG | WEXITED, data, own) {
    case .failed(let code): return Int64(-code)
    case .notYet: return options & WNOHANG != 0 ? 0 : nil
    case .child(let signal):
      data.storeBytes(of: Self.status(of: signal.info), toByteOffset: Self.statusAt, as: Int32.self)
      return Int64(signal.info.pid)
    }
  }

  private mutating func waitid(
    _ kind: Int32, _ id: Int32, _ options: Int32, _ data: UnsafeMutableRawBufferPointer, _ own: Set<Int32>
  ) -> Int64? {
    if options & (WEXITED | 2 | WCONTINUED) == 0 { return Int64(-EINVAL) }
    let which: idtype_t
    var number = id
    switch kind {
    case 0: which = P_ALL
    case 1: which = P_PID
    case 2:
      which = P_PGID
      if id == 0 { number = getpgid(0) }
    default: return Int64(-EINVAL)
    }
    switch take(which, number, options & ~WNOHANG, data, own) {
    case .failed(let code): return Int64(-code)
    case .notYet:
      guard options & WNOHANG != 0 else { return nil }
      for offset in 0..<128 { data[Self.infoAt + offset] = 0 }
      return 0
    case .child(let signal):
      for (offset, byte) in signal.bytes.enumerated() { data[Self.infoAt + offset] = byte }
      return 0
    }
  }

  /// Takes one child of the guest that answers to `kind` and `id`, without blocking; its resource usage goes to `data`.
  private mutating func take(
    _ kind: idtype_t, _ id: Int32, _ options: Int32, _ data: UnsafeMutableRawBufferPointer, _ own: Set<Int32>
  ) -> Waited {
    let keep: Int32 = 0x0100_0000  // WNOWAIT
    let usage = data.baseAddress.map { $0 + Self.usageAt }
    func attempt(_ pid: Int32, peek: Bool) -> (Int32, RawSignal) {
      var signal = RawSignal()
      let result = signal.waitid(P_PID.rawValue, pid, options | WNOHANG | (peek ? keep : 0), usage: usage)
      return (result, signal)
    }
    func taken(_ signal: RawSignal) -> Waited {
      let ended = [Int32(CLD_EXITED), Int32(CLD_KILLED), Int32(CLD_DUMPED)].contains(signal.info.code)
      if ended, options & keep == 0, let usage { mfr_host_add_usage(base, usage) }
      return .child(signal)
    }
    if vanish { settleChildren(own) }

    if kind == P_PID {
      if own.contains(id) { return .failed(ECHILD) }
      let (result, signal) = attempt(id, peek: false)
      if result < 0 { return .failed(-result) }
      if signal.info.pid == 0 { return .notYet }
      forget(id, options)
      return taken(signal)
    }
    // The kernel may show a replica first: then every child of the guest is looked at.
    var first = RawSignal()
    let peeked = first.waitid(kind.rawValue, id, options | WNOHANG | keep)
    if peeked == 0, first.info.pid != 0, !own.contains(first.info.pid) {
      let (result, signal) = attempt(first.info.pid, peek: false)
      if result == 0, signal.info.pid != 0 {
        forget(signal.info.pid, options)
        return taken(signal)
      }
    }
    let hidden = peeked == 0 && first.info.pid != 0
    if !hidden, anyKnown(kind, id) { return .notYet }
    let children = childrenOfGuest(own: own).filter { kind == P_ALL || getpgid($0) == id }
    if children.isEmpty {
      return .failed(ECHILD)
    }
    for pid in children {
      let (result, signal) = attempt(pid, peek: false)
      if result == 0, signal.info.pid != 0 {
        forget(pid, options)
        return taken(signal)
      }
    }
    return .notYet
  }

  /// Children that have ended by now: they vanish, or they are kept although later ones may vanish.
  private mutating func settleChildren(_ own: Set<Int32>) {
    let peek = WEXITED | WNOHANG | 0x0100_0000
    var first = RawSignal()
    guard first.waitid(P_ALL.rawValue, 0, peek) == 0, first.info.pid != 0 else { return }
    // The kernel shows the same one each time: only when it is none to be taken away, all are looked at.
    while vanish, !own.contains(first.info.pid), !kept.contains(first.info.pid) {
      reap(first.info.pid)
      first = RawSignal()
      guard first.waitid(P_ALL.rawValue, 0, peek) == 0, first.info.pid != 0 else { return }
    }
    for pid in childrenOfGuest(own: own) where !kept.contains(pid) {
      var info = RawSignal()
      guard info.waitid(P_PID.rawValue, pid, peek) == 0, info.info.pid == pid else { continue }
      if vanish { reap(pid) } else { kept.insert(pid) }
    }
  }

  private mutating func forget(_ pid: Int32, _ options: Int32) {
    if options & 0x0100_0000 != 0 { return }
    var info = RawSignal()
    if info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | 0x0100_0000) == -ECHILD {
      told.remove(pid)
      known.remove(pid)
      kept.remove(pid)
    }
  }

  private mutating func anyKnown(_ kind: idtype_t, _ id: Int32) -> Bool {
    for pid in known {
      var info = RawSignal()
      if info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | 0x0100_0000 | 0x4000_0000) < 0 {
        known.remove(pid)
        continue
      }
      if kind == P_ALL || getpgid(pid) == id { return true }
    }
    return false
  }

  /// All children of this process that are none of MFR's: those that the replicas have written down. When
  /// they once had no room to, found by asking for each process there is.
  private mutating func childrenOfGuest(own: Set<Int32>) -> [Int32] {
    if mfr_header_of(base).pointee.children_lost == 0 {
      var found: [Int32] = []
      for place in 0..<UInt32(MFR_MAX_CHILDREN) {
        let pid = mfr_child_at(base, place)
        guard pid > 1, !own.contains(pid) else { continue }
        var info = RawSignal()
        if info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | 0x0100_0000 | 0x4000_0000) == 0 {
          found.append(pid)
        } else {
          mfr_child_remove(base, pid)
        }
      }
      known = Set(found)
      return found
    }
    guard let folder = opendir("/proc") else { return Array(known) }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
      let pid = Int32(String(cString: DirectoryEntry.name(entry)))
      guard let pid, pid > 0, !own.contains(pid) else { continue }
      var info = RawSignal()
      if info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | 0x0100_0000 | 0x4000_0000) == 0 { found.append(pid) }
    }
    known = Set(found)
    return found
  }

  // MARK: what the signal loop needs

  /// Takes a dead replica away for good; its SIGCHLD may come later than this.
  mutating func reapReplica(_ pid: Int32) {
    reap(pid)
    replicaReaped(pid)
  }

  /// It has been taken away already.
  mutating func replicaReaped(_ pid: Int32) {
    if reapedReplicas.count > 256 { reapedReplicas.removeAll() }
    reapedReplicas.insert(pid)
  }

  /// Whether `pid` was a replica that is gone already. Answers yes once.
  mutating func wasReplica(_ pid: Int32) -> Bool { reapedReplicas.remove(pid) != nil }

  /// From now on children come that no replica has written down.
  func expectOrphans() { mfr_header_of(base).pointee.children_lost = 1 }

  /// A child that the guest has had all along.
  mutating func adopt(_ pid: Int32, ended: Bool) {
    known.insert(pid)
    if ended { told.insert(pid) }
  }

  /// Whether the guest has been told that `pid` has ended.
  func isTold(_ pid: Int32) -> Bool { told.contains(pid) }

  /// The guest is being told about the end of `pid`. One that it has waited for already is kept in mind no longer.
  mutating func noticed(_ pid: Int32) {
    var info = RawSignal()
    guard info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | 0x0100_0000) == 0 else { return }
    told.insert(pid)
    known.insert(pid)
  }

  /// Children of the guest that have ended and whose SIGCHLD was merged into another one.
  mutating func unnoticed(own: Set<Int32>) -> [RawSignal] {
    var first = RawSignal()
    let peeked = first.waitid(P_ALL.rawValue, 0, WEXITED | WNOHANG | 0x0100_0000)
    guard peeked == 0, first.info.pid != 0, !told.contains(first.info.pid) else { return [] }
    var result: [RawSignal] = []
    for pid in childrenOfGuest(own: own) where !told.contains(pid) {
      var info = RawSignal()
      guard info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | 0x0100_0000) == 0, info.info.pid == pid else {
        continue
      }
      told.insert(pid)
      result.append(info)
    }
    return result
  }

  /// An ended child that nobody shall be told of goes away, unless it ended too early for that.
  mutating func reapVanishing(_ pid: Int32) {
    if !kept.contains(pid) { reap(pid) }
  }

  /// Takes an ended child away without telling anybody.
  mutating func reap(_ pid: Int32) {
    var info = RawSignal()
    _ = info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG)
    told.remove(pid)
    known.remove(pid)
  }

  private static func status(of info: mfr_host_siginfo) -> Int32 {
    switch info.code {
    case Int32(CLD_EXITED): (info.status & 0xff) << 8
    case Int32(CLD_KILLED): info.status & 0x7f
    case Int32(CLD_DUMPED): info.status & 0x7f | 0x80
    case Int32(CLD_CONTINUED): 0xffff
    default: (info.status & 0xff) << 8 | 0x7f
    }
  }
}
