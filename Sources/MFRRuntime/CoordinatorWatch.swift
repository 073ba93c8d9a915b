import CMFRABI
import Glibc

/// What the anchor knows of the coordinator: when it is gone, or does nothing, another one is started. The guest can do
/// without one; its replicas cannot be replaced without.
struct CoordinatorWatch {
  /// 0: there is none.
  private(set) var pid: Int32
  /// When the next one may be started, CLOCK_MONOTONIC in nanoseconds.
  private var due: UInt64 = 0
  /// How long to wait when the next one dies as soon as the last.
  private var pause: UInt64 = 0
  private var started: UInt64 = 0
  /// Broken pages of the buffer that were replaced, when the last one had died.
  private var breaks: UInt32 = 0
  /// Its rounds when they were looked at last, when to look again, and how often they have been the same since.
  private var rounds: UInt32 = 0
  private var lookDue: UInt64 = 0
  private var looksInVain = 0

  /// Starts one and returns its pid, or -errno.
  private let start: @Sendable () -> Int32
  private static let longestPause: UInt64 = 500_000_000
  /// One that works comes round each second at least. Looks are counted, not the time between them: a machine that holds it
  /// up holds the anchor up, too.
  private static let betweenLooks: UInt64 = 2_500_000_000
  private static let looksBeforeKill = 4

  init(pid: Int32, start: @escaping @Sendable () -> Int32) {
    self.pid = pid
    self.start = start
  }

  enum News {
    case died(of: Int32)
    case hung
    case failed(Int32)
  }

  /// Replaces one that has died at once; those that die young ever more slowly, but never later than half a second.
  /// `reaped`: a pid whose SIGCHLD may come later than this.
  mutating func look(_ buffer: SyncBuffer, reaped: (Int32) -> Void) -> [News] {
    var news: [News] = []
    let now = mfr_host_now_ns()
    if pid > 0 {
      if stands(still: buffer, now) {
        _ = mfr_host_kill(pid, SIGKILL)
        news.append(.hung)
      }
      var info = RawSignal()
      let result = info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG)
      // ECHILD: whoever has taken it away, it is gone.
      guard result < 0 || info.info.pid == pid else { return news }
      reaped(pid)
      if result == 0, info.info.code != CLD_EXITED { news.append(.died(of: info.info.status)) }
      // The repair of the buffer ends the coordinator: that says nothing against the next one.
      let breaks = buffer.load(mfr_header_breaks(buffer.base))
      if now &- started > 1_000_000_000 || breaks != self.breaks { pause = 0 }
      self.breaks = breaks
      pid = 0
      due = now &+ pause
      pause = min(max(pause &* 2, 1_000_000), Self.longestPause)
    }
    guard now >= due else { return news }  // the call thread keeps the time
    let began = start()
    if began > 0 {
      pid = began
      started = now
      lookDue = now &+ Self.betweenLooks
      looksInVain = 0
      return news
    }
    // No room for a process, say. It is told once.
    if pause < Self.longestPause { news.append(.failed(-began)) }
    pause = Self.longestPause
    due = now &+ pause
    return news
  }

  private mutating func stands(still buffer: SyncBuffer, _ now: UInt64) -> Bool {
    guard now >= lookDue else { return false }
    lookDue = now &+ Self.betweenLooks
    let rounds = buffer.load(mfr_header_coordinator_rounds(buffer.base))
    looksInVain = rounds == self.rounds ? looksInVain + 1 : 0
    self.rounds = rounds
    guard looksInVain >= Self.looksBeforeKill else { return false }
    looksInVain = 0
    return true
  }

  /// Nanoseconds until there is something to look at.
  var wait: Int64 {
    let now = mfr_host_now_ns()
    let next = pid > 0 ? lookDue : due
    return next > now ? Int64(clamping: next &- now) : 0
  }

  /// There will be no other one. Returns the pid of the last, 0: there is none.
  mutating func dismiss() -> Int32 {
    defer {
      pid = 0
      due = .max
    }
    return pid
  }
}
