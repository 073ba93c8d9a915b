import CMFRABI
import Glibc

/// Timers of the guest that run with its processor time: ITIMER_VIRTUAL and ITIMER_PROF, and those of `timer_create`
/// on such a clock. Processor time is what its leaders have used one after the other.
///
/// A process cannot set such a timer on another one, and one set by a replica would die with it. So the clock of the
/// leader is looked at when it can have come to the end of the time at the earliest.
struct CpuTimers {
  /// How the two structures for time are written.
  enum Form { case itimerval, itimerspec }

  private struct Timer {
    let userOnly: Bool
    let form: Form
    /// nil: it only counts (SIGEV_NONE).
    let signal: RawSignal?
    var used: UInt64 = 0
    /// What `pid` had used when it was last looked at.
    var reading: UInt64 = 0
    var pid: Int32 = 0
    var interval: UInt64 = 0
    /// Value of `used` at which the signal is due; nil when the timer is not set.
    var due: UInt64?
    /// When to look again, CLOCK_MONOTONIC, and how long that was from the last look.
    var look: UInt64 = 0
    var pause: UInt64 = 0

    /// Adds what the leader has used since the last look.
    mutating func read(_ leader: Int32) {
      let now = mfr_host_cpu_ns(leader, userOnly ? 1 : 0)
      if leader == pid, now > reading { used &+= now &- reading }
      if now > 0 { (pid, reading) = (leader, now) }
    }
  }
  private var timers = [
    1: Timer(userOnly: true, form: .itimerval, signal: RawSignal(fromKernel: SIGVTALRM)),
    2: Timer(userOnly: false, form: .itimerval, signal: RawSignal(fromKernel: SIGPROF)),
  ]
  private static let shortest: UInt64 = 1_000_000
  /// An idle guest is looked at no more often than this.
  private static let longest: UInt64 = 50_000_000

  private static func load(_ raw: UnsafeMutableRawBufferPointer, _ at: Int, _ form: Form) -> UInt64? {
    let unit: Int64 = form == .itimerval ? 1000 : 1
    let seconds = raw.loadUnaligned(fromByteOffset: at, as: Int64.self)
    let parts = raw.loadUnaligned(fromByteOffset: at + 8, as: Int64.self)
    guard seconds >= 0, (0..<1_000_000_000 / unit).contains(parts) else { return nil }
    return UInt64(min(seconds, 4_000_000_000)) &* 1_000_000_000 &+ UInt64(parts &* unit)
  }
  private static func store(_ value: UInt64, _ raw: UnsafeMutableRawBufferPointer, _ at: Int, _ form: Form) {
    raw.storeBytes(of: Int64(value / 1_000_000_000), toByteOffset: at, as: Int64.self)
    raw.storeBytes(
      of: Int64(value % 1_000_000_000 / (form == .itimerval ? 1000 : 1)), toByteOffset: at + 8, as: Int64.self)
  }

  /// A timer of `timer_create`, not set yet.
  mutating func add(_ number: Int32, signal: RawSignal?) {
    timers[Int(number)] = Timer(userOnly: false, form: .itimerspec, signal: signal)
  }
  mutating func remove(_ number: Int32) { timers[Int(number)] = nil }

  mutating func get(_ which: Int32, _ data: UnsafeMutableRawBufferPointer, at offset: Int, leader: Int32) -> Int32 {
    guard var timer = timers[Int(which)] else { return -EINVAL }
    timer.read(leader)
    var left: UInt64 = 0
    if let due = timer.due { left = due > timer.used ? due &- timer.used : timer.form == .itimerval ? 1000 : 1 }
    Self.store(timer.interval, data, offset, timer.form)
    Self.store(left, data, offset + 16, timer.form)
    timers[Int(which)] = timer
    return 0
  }

  /// The new value is at 0, the old one goes to 32. `clock`: what the guest's clock says now, if the new value is a
  /// time on it (TIMER_ABSTIME).
  mutating func set(
    _ which: Int32, _ data: UnsafeMutableRawBufferPointer, leader: Int32, clock: UInt64? = nil
  ) -> Int32 {
    guard let form = timers[Int(which)]?.form else { return -EINVAL }
    guard let interval = Self.load(data, 0, form), let value = Self.load(data, 16, form) else { return -EINVAL }
    let result = get(which, data, at: 32, leader: leader)
    guard result == 0, var timer = timers[Int(which)] else { return result }
    timer.interval = interval
    let length = clock.map { value > $0 ? value &- $0 : 0 } ?? value
    timer.due = value == 0 ? nil : timer.used &+ length
    timer.look = 0
    timer.pause = 0
    timers[Int(which)] = timer
    return 0
  }

  /// Signals that are due, and in how many nanoseconds to look again (nil: no timer is set).
  mutating func due(leader: Int32) -> (signals: [RawSignal], pause: Int64?) {
    var signals: [RawSignal] = []
    var pause: UInt64?
    let now = mfr_host_now_ns()
    for (which, var timer) in timers {
      guard var due = timer.due else { continue }
      if now >= timer.look {
        let before = timer.used
        timer.read(leader)
        if timer.used >= due {
          // A period that was missed is not made up for: a timer of `timer_create` tells how many.
          let missed = timer.interval == 0 ? 0 : (timer.used &- due) / timer.interval
          if var signal = timer.signal {
            if timer.form == .itimerspec { signal.overrun = Int32(clamping: missed) }
            signals.append(signal)
          }
          timer.due = timer.interval == 0 ? nil : due &+ (missed &+ 1) &* timer.interval
        }
        due = timer.due ?? 0
        let least = max(Self.shortest, due > timer.used ? due &- timer.used : 0)
        timer.pause = timer.used > before ? least : max(least, min(Self.longest, timer.pause &* 2))
        timer.look = now &+ timer.pause
      }
      if timer.due != nil { pause = min(pause ?? UInt64.max, timer.look &- now) }
      timers[which] = timer
    }
    return (signals, pause.map { Int64($0) })
  }
}
