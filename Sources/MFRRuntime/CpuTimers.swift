import CMFRABI
import Glibc

/// ITIMER_VIRTUAL and ITIMER_PROF of the guest: processor time is what its leaders have used one after the other.
///
/// A process cannot set such a timer on another one, and one set by a replica would die with it. So the clock of the
/// leader is looked at when it can have come to the end of the time at the earliest.
struct CpuTimers {
  private struct Timer {
    let userOnly: Bool
    let signal: Int32
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
  private var timers = [1: Timer(userOnly: true, signal: SIGVTALRM), 2: Timer(userOnly: false, signal: SIGPROF)]
  private static let shortest: UInt64 = 1_000_000
  /// An idle guest is looked at no more often than this.
  private static let longest: UInt64 = 50_000_000

  /// struct itimerval: interval and time left.
  private static func load(_ raw: UnsafeMutableRawBufferPointer, _ at: Int) -> UInt64? {
    let seconds = raw.loadUnaligned(fromByteOffset: at, as: Int64.self)
    let micros = raw.loadUnaligned(fromByteOffset: at + 8, as: Int64.self)
    guard seconds >= 0, (0..<1_000_000).contains(micros) else { return nil }
    return UInt64(min(seconds, 4_000_000_000)) &* 1_000_000_000 &+ UInt64(micros) &* 1000
  }
  private static func store(_ value: UInt64, _ raw: UnsafeMutableRawBufferPointer, _ at: Int) {
    raw.storeBytes(of: Int64(value / 1_000_000_000), toByteOffset: at, as: Int64.self)
    raw.storeBytes(of: Int64(value % 1_000_000_000 / 1000), toByteOffset: at + 8, as: Int64.self)
  }

  mutating func get(_ which: Int32, _ data: UnsafeMutableRawBufferPointer, at offset: Int, leader: Int32) -> Int32 {
    guard var timer = timers[Int(which)] else { return -EINVAL }
    timer.read(leader)
    var left: UInt64 = 0
    if let due = timer.due { left = due > timer.used ? due &- timer.used : 1000 }
    Self.store(timer.interval, data, offset)
    Self.store(left, data, offset + 16)
    timers[Int(which)] = timer
    return 0
  }

  /// The new value is at 0, the old one goes to 32.
  mutating func set(_ which: Int32, _ data: UnsafeMutableRawBufferPointer, leader: Int32) -> Int32 {
    guard let interval = Self.load(data, 0), let value = Self.load(data, 16) else { return -EINVAL }
    let result = get(which, data, at: 32, leader: leader)
    guard result == 0, var timer = timers[Int(which)] else { return result }
    timer.interval = interval
    timer.due = value == 0 ? nil : timer.used &+ value
    timer.look = 0
    timer.pause = 0
    timers[Int(which)] = timer
    return 0
  }

  /// Signals that are due, and in how many nanoseconds to look again (nil: no timer is set).
  mutating func due(leader: Int32) -> (signals: [Int32], pause: Int64?) {
    var signals: [Int32] = []
    var pause: UInt64?
    let now = mfr_host_now_ns()
    for (which, var timer) in timers {
      guard var due = timer.due else { continue }
      if now >= timer.look {
        let before = timer.used
        timer.read(leader)
        if timer.used >= due {
          signals.append(timer.signal)
          timer.due = timer.interval == 0 ? nil : due &+ timer.interval
          // A period that was missed is not made up for.
          if let next = timer.due, next <= timer.used { timer.due = timer.used &+ timer.interval }
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
