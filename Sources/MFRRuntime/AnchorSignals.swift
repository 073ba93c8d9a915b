import CMFRABI
import Glibc

/// A signal that is posted while the guest computes is taken at its next call, if it comes to one soon.
struct Insistence {
  /// Where the leader stood when the signal was posted.
  let sequence: UInt64
  var pause: UInt64 = 2_000_000
  var next: UInt64

  init(_ buffer: SyncBuffer) {
    let leader = UInt32(truncatingIfNeeded: buffer.load(mfr_header_grant(buffer.base)) & 0xff) % SyncBuffer.replicaCount
    sequence = buffer.load(mfr_replica_seq(buffer.base, leader))
    next = mfr_host_now_ns() &+ pause
  }
}

/// Signals from outside, on their way to the guest.
extension Anchor {
  private func bit(_ signal: Int32) -> UInt64 { 1 << UInt64(max(1, min(signal, 64)) - 1) }

  /// What the guest would do with a signal, as far as the leader has told.
  private enum Disposition { case stops, delivered }

  private func disposition(_ signal: Int32) -> Disposition {
    let base = buffer.base
    if buffer.load(mfr_header_sig_blocked(base)) & bit(signal) != 0 { return .delivered }
    if buffer.load(mfr_header_sig_caught(base)) & bit(signal) != 0 { return .delivered }
    // Ignored ones are posted too: blocked, they stay pending (sigwait takes them); else the leader drops them.
    if buffer.load(mfr_header_sig_ignored(base)) & bit(signal) != 0 { return .delivered }
    switch signal {
    case SIGTSTP, SIGTTIN, SIGTTOU: return .stops
    default: return .delivered
    }
  }

  /// Takes one signal to where the guest is.
  func forward(_ signal: RawSignal, _ state: inout State) {
    let number = signal.number
    guard (1...64).contains(number) else { return }
    if number == SIGCONT { signalReplicas(SIGCONT) }
    if buffer.load(mfr_header_mode(buffer.base)) != MFR_MODE_LANE.rawValue {
      forwardDirectly(signal)
      return
    }
    switch disposition(number) {
    case .stops:
      signalReplicas(SIGSTOP)
      stopSelf(number)
      signalReplicas(SIGCONT)
    case .delivered: post(signal, &state)
    }
  }

  /// Puts a signal into the buffer, and makes the leader look.
  private func post(_ signal: RawSignal, _ state: inout State) {
    let posted = signal.bytes.withUnsafeBytes { raw in
      raw.baseAddress.map { mfr_signal_post(buffer.base, UInt32(signal.number), $0, 0) } ?? 0
    }
    // No room: it waits here, and those that come after it in the kernel's queue.
    if posted < 0 { state.held = signal }
    kick()
    state.insistence = Insistence(buffer)
    buffer.wakeAnchor()
  }

  /// Whether a signal of the same timer waits for the guest.
  func isPending(_ signal: RawSignal) -> Bool {
    mfr_host_timer_signal_waits(buffer.base, UInt32(signal.number), signal.timer) != 0
  }

  /// Posts the signal that had to wait, if there is room now.
  func postHeld(_ state: inout State) {
    guard let signal = state.held else { return }
    state.held = nil
    forward(signal, &state)
  }

  /// Kicks replicas that compute, so that they take a signal without coming to a call. Returns when to do so
  /// again, in nanoseconds from now; nil when all is delivered or will be at the next call.
  func insist(_ state: inout State) -> Int64? {
    guard var insistence = state.insistence else { return nil }
    state.insistence = nil
    guard buffer.load(mfr_header_mode(buffer.base)) == MFR_MODE_LANE.rawValue else { return nil }
    let now = mfr_host_now_ns()
    if now < insistence.next {
      state.insistence = insistence
      return Int64(insistence.next &- now)
    }
    let leader = UInt32(truncatingIfNeeded: buffer.load(mfr_header_grant(buffer.base)) & 0xff) % SyncBuffer.replicaCount
    let at = buffer.load(mfr_replica_seq(buffer.base, leader))
    // Two calls later it is still pending: it is blocked, and unblocking it is a call.
    let waits = at &- insistence.sequence < 2 && (1...64).contains { mfr_host_signal_waits(buffer.base, $0) != 0 }
    let point = buffer.load(mfr_header_signal_point(buffer.base))
    var computing: [UInt32] = waits ? [leader] : []
    for index in 0..<SyncBuffer.replicaCount
    where index != leader && buffer.load(mfr_header_live(buffer.base)) & (1 << index) != 0 {
      if point != 0, point > buffer.load(mfr_replica_seq(buffer.base, index)) { computing.append(index) }
    }
    if computing.isEmpty { return nil }
    for index in computing where buffer.load(mfr_replica_phase(buffer.base, index)) == MFR_PHASE_GUEST.rawValue {
      let pid = buffer.load(mfr_replica_pid(buffer.base, index))
      if isReplica(pid) { _ = mfr_host_kick(buffer.base, index, pid) }
    }
    insistence.pause = min(insistence.pause &* 2, 500_000_000)
    insistence.next = now &+ insistence.pause
    state.insistence = insistence
    return Int64(insistence.pause)
  }

  /// Gets the leader out of a blocking call, or out of its place in the queue for a slot.
  private func kick() {
    let leader = UInt32(truncatingIfNeeded: buffer.load(mfr_header_grant(buffer.base)) & 0xff)
    guard leader < SyncBuffer.replicaCount else { return }
    let pid = buffer.load(mfr_replica_pid(buffer.base, leader))
    guard isReplica(pid) else { return }
    _ = mfr_host_kick(buffer.base, leader, pid)
    buffer.unpark(leader)
  }

  /// One replica, and no lane: it gets its signals from the kernel as always.
  private func forwardDirectly(_ signal: RawSignal) {
    let info = signal.info
    // The terminal signals the whole process group, and the replica is in it.
    let fromKernel = info.code == 0x80
    let byTerminal: [Int32] = [SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP, SIGWINCH, SIGCONT]
    if fromKernel, byTerminal.contains(info.signo) { return }
    for index in 0..<SyncBuffer.replicaCount {
      let pid = buffer.load(mfr_replica_pid(buffer.base, index))
      guard buffer.load(mfr_replica_state(buffer.base, index)) != MFR_REPLICA_DEAD.rawValue, isReplica(pid) else {
        continue
      }
      let queued = signal.bytes.withUnsafeBytes { raw -> Int32 in
        guard info.code < 0, let start = raw.baseAddress else { return -EPERM }
        return mfr_host_sigqueueinfo(pid, info.signo, start)
      }
      if queued < 0 { _ = mfr_host_kill(pid, info.signo) }
      return
    }
  }

  private func signalReplicas(_ signal: Int32) {
    for index in 0..<SyncBuffer.replicaCount {
      let pid = buffer.load(mfr_replica_pid(buffer.base, index))
      if isReplica(pid) { _ = mfr_host_kill(pid, signal) }
    }
  }

  /// The buffer can lie: only a living or unreaped child of ours is signalled.
  private func isReplica(_ pid: Int32) -> Bool {
    guard pid > 0 else { return false }
    var info = RawSignal()
    return info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | WNOWAIT) == 0
  }

  /// Stops this process by `signal`, as its parent expects of a stopped guest; returns when it goes on. The
  /// kernel discards a terminal's stop signal in an orphaned process group: then it returns at once.
  func stopSelf(_ signal: Int32) {
    _ = mfr_host_tgkill(getpid(), mfr_host_gettid(), signal)
    if signal == SIGSTOP { return }
    mfr_host_set_mask(~bit(signal))
    _ = mfr_host_block_all()
  }
}
