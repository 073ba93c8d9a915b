import CMFRABI
import Glibc

/// Timers of `timer_create` that the guest has made: the kernel's timers of this process.
///
/// The guest knows them by numbers of their own: a guest that leaves the lane may get timers from the kernel, too.
struct PosixTimers {
  private struct Timer {
    /// It has no `sigevent`: its signal carries the timer's number.
    var carriesNumber: Bool
    /// Expirations that were in the last signal beyond the first, and those that found that signal still pending.
    var overrun: Int32 = 0
    var missed: Int32 = 0
  }
  /// By the kernel's numbers.
  private var timers: [Int32: Timer] = [:]
  private static let first: Int32 = 0x4000_0000

  var count: Int { timers.count }
  private func kernelNumber(_ guest: Int32) -> Int32? {
    let number = guest &- Self.first
    return timers[number] == nil ? nil : number
  }

  /// In: struct sigevent at 0, and 1 at 64 if there is one. Out: the number at 0.
  mutating func create(_ clock: Int32, _ data: UnsafeMutableRawBufferPointer) -> Int64 {
    let given = data[64] != 0
    let number = mfr_host_timer_create(clock, given ? data.baseAddress.map { UnsafeRawPointer($0) } : nil)
    if number < 0 { return Int64(number) }
    timers[number] = Timer(carriesNumber: !given)
    data.storeBytes(of: Self.first &+ number, toByteOffset: 0, as: Int32.self)
    return 0
  }

  func set(_ timer: Int32, _ flags: Int32, _ data: UnsafeMutableRawPointer) -> Int64 {
    guard let number = kernelNumber(timer) else { return Int64(-EINVAL) }
    return Int64(mfr_host_timer_settime(number, flags, data, data + 32))
  }
  func get(_ timer: Int32, _ data: UnsafeMutableRawPointer) -> Int64 {
    guard let number = kernelNumber(timer) else { return Int64(-EINVAL) }
    return Int64(mfr_host_timer_gettime(number, data))
  }
  func overrun(_ timer: Int32) -> Int64 {
    guard let number = kernelNumber(timer), let entry = timers[number] else { return Int64(-EINVAL) }
    return Int64(entry.overrun &+ entry.missed)
  }
  mutating func delete(_ timer: Int32) -> Int64 {
    guard let number = kernelNumber(timer) else { return Int64(-EINVAL) }
    timers[number] = nil
    return Int64(mfr_host_timer_delete(number))
  }
  /// They do not outlive the program that made them.
  mutating func deleteAll() {
    for number in timers.keys { _ = mfr_host_timer_delete(number) }
    timers = [:]
  }

  /// Makes what the kernel sent into what the guest gets; nil when it only counts, as the last one of the same timer
  /// still waits for the guest.
  mutating func translate(_ signal: RawSignal, pending: (RawSignal) -> Bool) -> RawSignal? {
    var signal = signal
    let siTimer: Int32 = -2
    guard signal.info.code == siTimer, var timer = timers[signal.timer] else { return signal }
    let number = signal.timer
    signal.timer = Self.first &+ number
    if timer.carriesNumber { signal.value = UInt64(Self.first &+ number) }
    if pending(signal) {
      timer.missed &+= 1 &+ signal.overrun
    } else {
      timer.overrun = signal.overrun
      timer.missed = 0
    }
    let merged = timer.missed > 0
    timers[number] = timer
    return merged ? nil : signal
  }
}
