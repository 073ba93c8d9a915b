import CMFRABI
import Glibc
import MFRControl
import MFRCore
import Testing

@testable import MFRRuntime

/// A guest can write whatever it likes into its buffer. Whoever reads that must neither crash nor reach beyond it.
@Suite("Hostile buffer")
struct HostileBufferTests {
  /// A buffer between two pages that nobody may touch, filled by a seed.
  final class Hostile {
    let buffer: SyncBuffer
    var random: SplitMix
    private let mapping: UnsafeMutableRawPointer
    private let length: Int
    private static let page = 4096

    init(seed: UInt64) throws {
      length = (SyncBuffer.bytes + Self.page - 1) / Self.page * Self.page
      let whole = mmap(nil, length + 2 * Self.page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      mapping = try #require(whole != MAP_FAILED ? whole : nil)
      try #require(mprotect(mapping + Self.page, length, PROT_READ | PROT_WRITE) == 0)
      // No process has this anchor for a parent: nothing is signalled, whatever pid the buffer names.
      buffer = SyncBuffer(base: mapping + Self.page, anchor: Int32.max)
      random = SplitMix(seed: seed)
    }
    deinit { munmap(mapping, length + 2 * Self.page) }

    private var structured: Int { Int(MFR_OFF_DATA_VALUE) }

    /// Random words everywhere, as many as `count`.
    func scribble(_ count: Int) {
      for _ in 0..<count {
        let word = Int.random(in: 0..<structured / 8, using: &random)
        buffer.base.storeBytes(of: random.next(), toByteOffset: word * 8, as: UInt64.self)
      }
    }

    /// Values that decide something, with whatever around them.
    func pretend() {
      let base = buffer.base
      func any(_ most: UInt32) -> UInt32 { UInt32.random(in: 0...most, using: &random) }
      buffer.store(mfr_header_mode(base), any(8) == 0 ? any(.max) : MFR_MODE_LANE.rawValue)
      buffer.store(mfr_header_exit_kind(base), any(20) == 0 ? any(3) : 0)
      buffer.store(mfr_header_ending(base), any(40) == 0 ? 1 : 0)
      buffer.store(mfr_header_collapse(base), any(4) == 0 ? any(3) : 0)
      buffer.store(mfr_header_level(base), any(4) == 0 ? any(.max) : any(4))
      buffer.store(mfr_header_live(base), any(.max))
      buffer.store(mfr_header_parked(base), any(.max))
      buffer.store(mfr_header_grant(base), any(4) == 0 ? random.next() : UInt64(any(15)))
      buffer.store(mfr_header_exec_pid(base), any(8) == 0 ? Int32(bitPattern: any(.max)) : 0)
      let sequence = any(6) == 0 ? UInt64.max &- UInt64(any(3)) : UInt64(any(100))
      for place in 0..<SyncBuffer.replicaCount {
        if any(3) == 0 { continue }
        buffer.store(mfr_replica_state(base, place), any(8))
        buffer.store(mfr_replica_pid(base, place), any(2) == 0 ? 0 : Int32(bitPattern: any(.max)))
        buffer.store(mfr_replica_seq(base, place), any(4) == 0 ? random.next() : sequence &+ UInt64(any(2)))
        buffer.store(mfr_replica_bid(base, place), any(1))
        buffer.store(mfr_replica_verdict(base, place), any(2) == 0 ? any(5) : 0)
        buffer.store(mfr_replica_settled(base, place), any(3) == 0 ? 1 : 0)
        buffer.store(mfr_replica_unshared(base, place), any(1))
        buffer.store(mfr_replica_died_ns(base, place), any(2) == 0 ? random.next() : mfr_host_now_ns())
        buffer.store(mfr_replica_request_result(base, place).asUnsigned, random.next())
        let at = buffer.load(mfr_replica_seq(base, place))
        let slot = mfr_host_slot(base, at)
        buffer.store(
          mfr_host_slot_word(base, at),
          any(4) == 0 ? random.next() : mfr_word(at, any(470), any(1) == 0 ? place : any(31), any(3)))
        slot.pointee.data_off = any(2) == 0 ? random.next() : UInt64(any(200))
        for offset in 0..<24 {
          mfr_data_at(base, slot.pointee.data_off &+ UInt64(offset * 8)).pointee = UInt8(any(255))
        }
      }
    }
  }

  @Test("What the coordinator reads, decides and does: random words, and words that look right", arguments: 1...6)
  func coordinator(seed: Int) throws {
    let hostile = try Hostile(seed: UInt64(seed))
    let buffer = hostile.buffer
    let events = EventLog(buffer: buffer, path: "", verbose: false)
    var repairs = Repairs(buffer: buffer, events: events)
    var set = ReplicaSet()
    var now = Moment(hostile.random.next() >> 1)
    var decisions = 0
    hostile.scribble(200_000)
    for round in 0..<250 {
      hostile.scribble(round % 3 == 0 ? 2000 : 20)
      if round % 2 == 0 { hostile.pretend() }
      if round % 50 == 49 { set = ReplicaSet() }  // a coordinator that is new
      now = Moment(now.rawValue &+ hostile.random.next() % 3_000_000_000)
      let view = buffer.view(facts: true)
      let actions = set.plan(view, now: now)
      decisions += actions.count
      for action in actions { repairs.carryOut(action) }
      let status = buffer.status(view, set.growthReason(view), events.trouble)
      #expect(SetStatus(json: try JSON.parse(status.json.text.utf8)) != nil)
      let fault = ControlRequest.Injection.Fault.allCases.randomElement(using: &hostile.random)
      _ = Injector(buffer: buffer).inject(
        .init(
          fault: fault ?? .kill, target: .index(UInt32(round % 16)), place: round % 2 == 0 ? .buffer(nil) : .heap,
          seed: hostile.random.next()), view)
    }
    #expect(decisions > 100)  // else it has not looked at much
  }

  @Test("No pid that the buffer names is taken for a replica unless it is a child of the anchor")
  func pids() throws {
    let hostile = try Hostile(seed: 1)
    let base = hostile.buffer.base
    for pid in [0, -1, 1, getpid(), getppid(), Int32.min, Int32.max] {
      hostile.buffer.store(mfr_replica_pid(base, 3), pid)
      hostile.buffer.store(mfr_header_anchor_pid(base), pid > 1 ? ProcessFiles.parent(pid) ?? 0 : 0)
      #expect(hostile.buffer.replicaPid(3) == nil)
    }
    // This process is no replica of its parent either.
    let own = SyncBuffer(base: base, anchor: getppid())
    hostile.buffer.store(mfr_replica_pid(base, 3), getpid())
    #expect(own.replicaPid(3) == nil)
  }

  @Test("Texts without an end are cut at the end of their field")
  func texts() throws {
    let hostile = try Hostile(seed: 1)
    memset(hostile.buffer.base, 0xff, Int(MFR_OFF_DATA_VALUE))
    #expect(hostile.buffer.name.unicodeScalars.count <= 64)
    #expect(hostile.buffer.program.unicodeScalars.count <= 256)
    #expect(hostile.buffer.reason.unicodeScalars.count <= 128)
  }

  @Test("The buffer cannot be made shorter")
  func sealed() throws {
    let (buffer, descriptor) = try SyncBuffer.create()
    defer {
      close(descriptor)
      munmap(buffer.base, SyncBuffer.bytes)
    }
    #expect(ftruncate(descriptor, 0) == -1)
    #expect(errno == EPERM)
  }
}

extension UnsafeMutablePointer<Int64> {
  fileprivate var asUnsigned: UnsafeMutablePointer<UInt64> {
    UnsafeMutableRawPointer(self).assumingMemoryBound(to: UInt64.self)
  }
}
