import CMFRABI
import Glibc

/// Timers of `timer_create` that the guest has made: the kernel's timers of this process, or those of processor time.
///
/// The guest knows them by numbers of their own: a guest that leaves the lane may get timers from the kernel, too.
struct PosixTimers {
  private struct Timer {
    /// It has no `sigevent`: its signal carries the timer's number.
    var carriesNumber: Bool
    /// The thread that its signals are for (SIGEV_THREAD_ID), 0: any.
    var target: Int32
    /// Expirations that were in the last signal beyond the first, and those that found that signal still pending.
    var overrun: Int32 = 0
    var missed: Int32 = 0
  }
  private static let siTimer: Int32 = -2
  /// By the kernel's numbers.
  private var timers: [Int32: Timer] = [:]
  private static let first: Int32 = 0x4000_0000
  /// From here on they are timers of processor time: numbers of `CpuTimers`, of which the kernel knows nothing.
  private static let firstOfCpu: Int32 = 0x6000_0000
  private var nextOfCpu = Self.firstOfCpu

  var count: Int { timers.count }
  static func isOfCpu(_ timer: Int32) -> Bool { timer >= firstOfCpu }
  func isKnown(_ timer: Int32) -> Bool { timers[timer &- Self.first] != nil }
  private func kernelNumber(_ guest: Int32) -> Int32? {
    let number = guest &- Self.first
    return timers[number] == nil ? nil : number
  }

  /// In: struct sigevent at 0, and 1 at 64 if there is one. Out: the number at 0.
  mutating func create(_ clock: Int32, _ data: UnsafeMutableRawBufferPointer) -> Int64 {
    let given = data[64] != 0
    let event = data.baseAddress.map { UnsafeRawPointer($0) }
    let number = mfr_host_timer_create(clock, given ? event : nil)
    if number < 0 { return Int64(number) }
    timers[number] = Timer(carriesNumber: !given, target: given ? event.map(mfr_host_event_thread) ?? 0 : 0)
    data.storeBytes(of: Self.first &+ number, toByteOffset: 0, as: Int32.self)
    return 0
  }

  /// The same for a timer of processor time: its number and its signal (nil: SIGEV_NONE), or -errno.
  mutating func createOfCpu(_ data: UnsafeMutableRawBufferPointer) -> (number: Int32, signal: RawSignal?) {
    let given = data[64] != 0
    let number = nextOfCpu
    var signal = RawSignal()
    var notify: Int32 = 0
    if given {
      notify = data.loadUnaligned(fromByteOffset: 12, as: Int32.self)
      signal.value = data.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
      signal.number = data.loadUnaligned(fromByteOffset: 8, as: Int32.self)
    } else {
      signal.value = UInt64(number)
      signal.number = SIGALRM
    }
    let none: Int32 = 1
    let byThread: Int32 = 4
    guard notify & ~byThread <= none, notify & none != 0 || (1...64).contains(signal.number) else {
      return (-EINVAL, nil)
    }
    signal.code = Self.siTimer
    signal.timer = number &- Self.first
    if notify & byThread != 0 { signal.target = data.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
    nextOfCpu &+= 1
    timers[number &- Self.first] = Timer(carriesNumber: !given, target: signal.target)
    data.storeBytes(of: number, toByteOffset: 0, as: Int32.self)
    return (number, notify & none != 0 ? nil : signal)
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
    return Self.isOfCpu(timer) ? 0 : Int64(mfr_host_timer_delete(number))
  }
  /// They do not outlive the program that made them. Returns those of processor time.
  mutating func deleteAll() -> [Int32] {
    let ofCpu = timers.keys.map { $0 &+ Self.first }.filter(Self.isOfCpu)
    for number in timers.keys where !Self.isOfCpu(number &+ Self.first) { _ = mfr_host_timer_delete(number) }
    timers = [:]
    return ofCpu
  }

  /// Makes what the kernel sent into what the guest gets; nil when it only counts, as the last one of the same timer
  /// still waits for the guest. What a timer sent that is deleted by now is forgotten, as by the kernel.
  mutating func translate(_ signal: RawSignal, pending: (RawSignal) -> Bool) -> RawSignal? {
    var signal = signal
    guard signal.info.code == Self.siTimer else { return signal }
    guard var timer = timers[signal.timer] else { return nil }
    let number = signal.timer
    signal.timer = Self.first &+ number
    signal.target = timer.target
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
