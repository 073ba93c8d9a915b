import CMFRABI
import Glibc
import MFRControl
import MFRCore

/// Breaks a replica on purpose: chooses where, and asks the replica to do it.
struct Injector {
  let buffer: SyncBuffer
  private var base: UnsafeMutableRawPointer { buffer.base }

  func inject(_ injection: ControlRequest.Injection, _ view: SetView) -> JSON {
    guard let victim = victim(injection.target, view) else {
      return ControlServer.refusal("there is no such replica; see mfr-ctl status")
    }
    let place = victim.index.rawValue
    var members: [JSON.Member] = [
      .init("ok", .bool(true)), .init("fault", .string(injection.fault.rawValue)), .init("replica", JSON(place)),
      .init("pid", JSON(victim.pid.rawValue)), .init("sequence", JSON(victim.sequence.rawValue)),
    ]
    switch injection.fault {
    case .kill:
      guard ProcessFiles.parent(victim.pid.rawValue) == buffer.load(mfr_header_anchor_pid(base)) else {
        return ControlServer.refusal("replica \(place) is gone")
      }
      _ = mfr_host_kill(victim.pid.rawValue, SIGKILL)
    case .segv: request(place, MFR_REQ_FAULT, 0, 0)
    case .poison, .bitflip:
      var random = SplitMix(seed: injection.seed)
      guard let address = address(injection.place, victim.pid.rawValue, &random) else {
        return ControlServer.refusal("replica \(place) has no present page at \(injection.place.text)")
      }
      let poison = injection.fault == .poison
      let bit = random.next() % 8
      request(place, poison ? MFR_REQ_POISON : MFR_REQ_BITFLIP, address, bit)
      members.append(.init("address", .string("0x" + String(address, radix: 16))))
      if !poison { members.append(.init("bit", JSON(bit))) }
    }
    return .object(members)
  }

  private func victim(_ target: ControlRequest.Injection.Target, _ view: SetView) -> ReplicaView? {
    let able = view.replicas.filter { $0.live && ($0.state == .running || $0.state == .joining) }
    switch target {
    case .leader: return able.first { $0.index == view.leader }
    case .follower: return able.first { $0.index != view.leader }
    case .index(let index): return able.first { $0.index.rawValue == index }
    }
  }

  private func request(_ place: UInt32, _ bit: UInt32, _ argument: UInt64, _ second: UInt64) {
    buffer.store(mfr_replica_request_arg(base, place), argument)
    buffer.store(mfr_replica_request_arg2(base, place), second)
    _ = mfr_or_acqrel32(mfr_replica_request(base, place), bit)
    Repairs.nudge(buffer, place)
  }

  /// An address in a page that is present in the victim: page aligned for a poison, a byte in it for a bit flip.
  private func address(_ where: ControlRequest.Injection.Place, _ pid: Int32, _ random: inout SplitMix) -> UInt64? {
    if case .address(let address) = `where` { return address }
    let program = programFile(pid)
    let candidates = ProcessFiles.mappings(pid).filter { mapping in
      guard mapping.isPrivateWritable else { return false }
      switch `where` {
      case .heap: return mapping.name == "[heap]"
      case .stack: return mapping.name == "[stack]"
      case .data: return mapping.name == program
      case .address: return false
      }
    }
    let pages = candidates.flatMap { ProcessFiles.presentPages(pid, $0) }
    guard !pages.isEmpty else { return nil }
    return pages[Int(random.next() % UInt64(pages.count))] + random.next() % 512 * 8
  }

  private func programFile(_ pid: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 4097)
    let count = readlink("/proc/\(pid)/exe", &buffer, 4096)
    return String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// A small generator of numbers that a seed determines (SplitMix64).
struct SplitMix {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
