import CMFRABI
import Glibc

/// A siginfo as the kernel hands it over: 128 bytes, opaque but for a few fields.
struct RawSignal {
  var bytes = [UInt8](repeating: 0, count: 128)
  /// Thread of the guest that it is for; 0: any.
  var target: Int32 = 0

  init() {}
  /// A signal with no sender, as the kernel's timers send it (SI_KERNEL).
  init(fromKernel number: Int32) {
    bytes.withUnsafeMutableBytes { raw in
      raw.storeBytes(of: number, toByteOffset: 0, as: Int32.self)
      raw.storeBytes(of: 0x80, toByteOffset: 8, as: Int32.self)
    }
  }

  /// Pid of whoever sent it with kill.
  var sender: Int32 {
    get { bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) } }
    set { bytes.withUnsafeMutableBytes { $0.storeBytes(of: newValue, toByteOffset: 16, as: Int32.self) } }
  }

  /// Of a signal that a timer sent: its number, and how often it has expired since beyond the first time.
  var timer: Int32 {
    get { bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) } }
    set { bytes.withUnsafeMutableBytes { $0.storeBytes(of: newValue, toByteOffset: 16, as: Int32.self) } }
  }
  var overrun: Int32 {
    get { bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 20, as: Int32.self) } }
    set { bytes.withUnsafeMutableBytes { $0.storeBytes(of: newValue, toByteOffset: 20, as: Int32.self) } }
  }
  var value: UInt64 {
    get { bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 24, as: UInt64.self) } }
    set { bytes.withUnsafeMutableBytes { $0.storeBytes(of: newValue, toByteOffset: 24, as: UInt64.self) } }
  }

  /// Number, code, sender or child, and exit status.
  var info: mfr_host_siginfo {
    bytes.withUnsafeBytes { raw in
      guard let start = raw.baseAddress else { return mfr_host_siginfo() }
      return mfr_host_siginfo_of(start)
    }
  }
  var number: Int32 {
    get { info.signo }
    set { bytes.withUnsafeMutableBytes { $0.storeBytes(of: newValue, toByteOffset: 0, as: Int32.self) } }
  }
  var code: Int32 {
    get { info.code }
    set { bytes.withUnsafeMutableBytes { $0.storeBytes(of: newValue, toByteOffset: 8, as: Int32.self) } }
  }

  /// Takes a blocked signal of `mask` that is pending, or comes within so many nanoseconds (-1: ever): its number.
  mutating func wait(for mask: UInt64, timeout: Int64) -> Int32 {
    bytes.withUnsafeMutableBytes { raw in
      raw.baseAddress.map { mfr_host_sigwait(mask, $0, timeout) } ?? -EINVAL
    }
  }

  /// `waitid` into this value: 0, or -errno. A pid of 0 afterwards: nothing to report.
  mutating func waitid(_ kind: idtype_t.RawValue, _ id: Int32, _ options: Int32, usage: UnsafeMutableRawPointer? = nil)
    -> Int32
  {
    bytes.withUnsafeMutableBytes { raw in
      guard let start = raw.baseAddress else { return -EINVAL }
      return mfr_host_waitid(Int32(bitPattern: UInt32(kind)), id, start, options, usage)
    }
  }
}
