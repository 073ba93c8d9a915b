import CMFRABI
import Glibc

/// The memory that the replicas of one set share with the anchor and the coordinator.
///
/// Layout and writers of each field: `mfr_abi.h`. A value of this type does not own the mapping, which lasts as long as
/// the process. Whatever is read from it may have been written by a broken guest.
public struct SyncBuffer: @unchecked Sendable {
  /// Address of the first byte here; another address in every process.
  public let base: UnsafeMutableRawPointer
  /// Pid of the anchor, as the anchor has told its coordinator. The buffer says it, too, but whom to kill is not to
  /// depend on what a guest may have written there.
  let anchor: Int32

  public static let bytes = Int(MFR_BUFFER_BYTES_VALUE)
  public static let replicaCount: UInt32 = MFR_MAX_REPLICAS

  /// Creates a buffer that is all zeros; `descriptor` is closed on exec.
  public static func create() throws(SystemError) -> (buffer: SyncBuffer, descriptor: Int32) {
    let made = mfr_host_memory("mfr", UInt64(bytes))
    let descriptor = try Launch.above2(SystemError.check("memory for the replicas to share", made))
    do {
      return (try SyncBuffer(mapping: descriptor, anchor: getpid()), descriptor)
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Maps a buffer that exists already. It must have the size that this version expects.
  public init(mapping descriptor: Int32, anchor: Int32) throws(SystemError) {
    var status = stat()
    try SystemError.retry("fstat") { Int(fstat(descriptor, &status)) }
    guard Int(status.st_size) >= Self.bytes else { throw SystemError("buffer size", EINVAL) }
    let address = mmap(nil, Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let address, address != MAP_FAILED else { throw SystemError("mmap", errno) }
    base = address
    self.anchor = anchor
  }

  /// Memory that somebody else has made; for tests.
  init(base: UnsafeMutableRawPointer, anchor: Int32) {
    self.base = base
    self.anchor = anchor
  }

  // MARK: single fields, by memory order

  func load(_ field: UnsafeMutablePointer<UInt32>) -> UInt32 { mfr_load_acquire32(field) }
  func load(_ field: UnsafeMutablePointer<UInt64>) -> UInt64 { mfr_load_acquire64(field) }
  func load(_ field: UnsafeMutablePointer<Int32>) -> Int32 {
    field.withMemoryRebound(to: UInt32.self, capacity: 1) { Int32(bitPattern: mfr_load_acquire32($0)) }
  }
  func store(_ field: UnsafeMutablePointer<UInt32>, _ value: UInt32) { mfr_store_release32(field, value) }
  func store(_ field: UnsafeMutablePointer<UInt64>, _ value: UInt64) { mfr_store_release64(field, value) }
  func store(_ field: UnsafeMutablePointer<Int32>, _ value: Int32) {
    field.withMemoryRebound(to: UInt32.self, capacity: 1) {
      mfr_store_release32($0, UInt32(bitPattern: value))
    }
  }
  func add(_ field: UnsafeMutablePointer<UInt64>, _ value: UInt64) {
    mfr_store_relaxed64(field, mfr_load_relaxed64(field) &+ value)
  }

  /// Place of the replica that may lead. A broken guest may have written anything here, and at that place.
  var leaderPlace: UInt32 { UInt32(truncatingIfNeeded: load(mfr_header_grant(base)) & 0xff) % Self.replicaCount }

  /// Its pid, 0 if there is none.
  var leaderPid: Int32 { load(mfr_replica_pid(base, leaderPlace)) }

  // MARK: texts

  /// The NUL-terminated text in a field of `capacity` bytes; at most that many are read.
  func text(_ field: UnsafeMutablePointer<CChar>, capacity: Int) -> String {
    var bytes: [UInt8] = []
    for offset in 0..<capacity {
      let byte = UInt8(bitPattern: field[offset])
      if byte == 0 { break }
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
  /// Writes `text`, cut to what fits, with a NUL after it.
  func setText(_ field: UnsafeMutablePointer<CChar>, capacity: Int, _ text: String) {
    var offset = 0
    for byte in text.utf8.prefix(capacity - 1) {
      field[offset] = CChar(bitPattern: byte)
      offset += 1
    }
    field[offset] = 0
  }
  public var program: String { text(mfr_header_program(base), capacity: 256) }
  public var name: String { text(mfr_header_name(base), capacity: 64) }
  public var reason: String { text(mfr_header_reason(base), capacity: 128) }
  public func setProgram(_ text: String) { setText(mfr_header_program(base), capacity: 256, text) }
  public func setName(_ text: String) { setText(mfr_header_name(base), capacity: 64, text) }
  public func setReason(_ text: String) { setText(mfr_header_reason(base), capacity: 128, text) }

  // MARK: waking

  /// Makes the coordinator scan; callable from any process that has the buffer.
  public func wakeCoordinator() { bump(mfr_header_coordinator_wake(base)) }
  /// Makes the anchor's call thread look for calls and for replicas that may be reaped.
  public func wakeAnchor() { bump(mfr_header_anchor_wake(base)) }

  /// Lets a guest that is off the lane look after its children.
  func noteChildEvent() { bump(mfr_header_child_event(base)) }

  private func bump(_ futex: UnsafeMutablePointer<UInt32>) {
    _ = mfr_add_acqrel32(futex, 1)
    _ = mfr_host_futex_wake(futex, Int32.max)
  }

  /// Lets a replica that waits for a slot look again.
  func unpark(_ index: UInt32) {
    _ = mfr_and_acqrel32(mfr_header_parked(base), ~(1 << (index & 31)))
    let park = mfr_replica_park(base, index)
    store(park, 0)
    _ = mfr_host_futex_wake(park, Int32.max)
  }
}
