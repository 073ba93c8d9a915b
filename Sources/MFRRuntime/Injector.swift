import CMFRABI
import Glibc
import MFRControl
import MFRCore

/// Breaks a replica on purpose: chooses where, and does it or asks the replica to do it.
struct Injector {
  /// A replica that was asked, and what to say when it has done so.
  struct Asked {
    var place: UInt32
    var generation: UInt32
    var bit: UInt32
    var members: [JSON.Member]
    var fault: ControlRequest.Injection.Fault
  }
  enum Answer {
    case now(JSON)
    case later(Asked)
  }

  let buffer: SyncBuffer
  private var base: UnsafeMutableRawPointer { buffer.base }

  init(buffer: SyncBuffer) { self.buffer = buffer }

  func inject(_ injection: ControlRequest.Injection, _ view: SetView) -> Answer {
    guard let victim = victim(injection.target, view) else {
      return .now(ControlServer.refusal("there is no such replica; see mfr-ctl status"))
    }
    let place = victim.index.rawValue
    let others = view.replicas.contains {
      $0.index != victim.index && $0.live && $0.state == .running && $0.unshared
    }
    guard others else {
      return .now(ControlServer.refusal("replica \(place) is the only one that is whole: nobody could take over"))
    }
    var members: [JSON.Member] = [
      .init("ok", .bool(true)), .init("fault", .string(injection.fault.rawValue)), .init("replica", JSON(place)),
      .init("pid", JSON(victim.pid.rawValue)),
      .init("role", .string(victim.index == view.leader ? "leader" : "follower")),
      .init("sequence", JSON(victim.sequence.rawValue)),
    ]
    var asked = Asked(
      place: place, generation: victim.generation, bit: 0, members: members, fault: injection.fault)
    switch injection.fault {
    case .kill, .hang:
      guard ProcessFiles.parent(victim.pid.rawValue) == buffer.anchor else {
        return .now(ControlServer.refusal("replica \(place) is gone"))
      }
      _ = mfr_host_kill(victim.pid.rawValue, injection.fault == .kill ? SIGKILL : SIGSTOP)
      return .now(.object(members))
    case .segv:
      members.append(.init("address", .string("0x8")))
      request(place, MFR_REQ_FAULT)
      return .now(.object(members))
    case .spin:
      request(place, MFR_REQ_SPIN)
      return .now(.object(members))
    case .poison: asked.bit = MFR_REQ_POISON
    case .poisonReal: asked.bit = MFR_REQ_HWPOISON
    case .bitflip: asked.bit = MFR_REQ_BITFLIP
    }
    var random = SplitMix(seed: injection.seed)
    guard let spot = spot(injection.place, victim.pid.rawValue, &random) else {
      return .now(ControlServer.refusal("replica \(place) has no present page at \(injection.place.text)"))
    }
    let bit = random.next() % 8
    buffer.store(mfr_replica_inject_at(base, place), spot.address)
    buffer.store(mfr_replica_inject_bit(base, place), UInt32(bit))
    buffer.store(mfr_replica_inject_result(base, place), Self.notYet)
    request(place, asked.bit)
    asked.members.append(.init("address", .string("0x" + String(spot.address, radix: 16))))
    asked.members.append(.init("mapping", .string(spot.mapping)))
    if injection.fault == .bitflip { asked.members.append(.init("bit", JSON(bit))) }
    return .later(asked)
  }

  /// No error number is so large.
  private static let notYet = Int32.min

  /// What became of it; nil: the replica has not come to its next call yet.
  func outcome(_ asked: Asked, _ view: SetView) -> JSON? {
    let place = asked.place
    let result = buffer.load(mfr_replica_inject_result(base, place))
    let now = view.replicas.first { $0.index.rawValue == place }
    guard let now, now.generation == asked.generation, now.state != .free, now.state != .dead else {
      return ControlServer.refusal("replica \(place) is gone")
    }
    if result == Self.notYet { return nil }
    if result < 0 { return ControlServer.refusal(Self.refusal(asked.fault, -result, place)) }
    return .object(asked.members + [.init("planted", .bool(true))])
  }

  private static func refusal(
    _ fault: ControlRequest.Injection.Fault, _ code: Int32, _ place: UInt32
  ) -> String {
    switch (fault, code) {
    case (.poisonReal, EPERM): return "poison-real needs CAP_SYS_ADMIN in the program; poison needs no privilege"
    case (.poisonReal, EINVAL): return "this kernel has no MADV_HWPOISON (CONFIG_MEMORY_FAILURE); use poison"
    case (.poison, EPERM), (.poison, ENOSYS), (.poison, ENOTTY):
      return "no poisoned page can be planted: userfaultfd is refused or older than Linux 6.6; use kill or segv"
    case (.poison, EBUSY):
      return "no poisoned page can be planted there: whoever plants it stands on it; use another address"
    default: return "replica \(place) could not plant it: \(SystemError.text(code))"
    }
  }

  private func victim(_ target: ControlRequest.Injection.Target, _ view: SetView) -> ReplicaView? {
    let able = view.replicas.filter { $0.live && ($0.state == .running || $0.state == .joining) }
    switch target {
    case .leader: return able.first { $0.index == view.leader }
    case .follower: return able.first { $0.index != view.leader }
    case .index(let index): return able.first { $0.index.rawValue == index }
    }
  }

  private func request(_ place: UInt32, _ bit: UInt32) {
    _ = mfr_or_acqrel32(mfr_replica_request(base, place), bit)
    Repairs.nudge(buffer, place)
  }

  /// A byte in a page that is present in the victim.
  private func spot(
    _ where: ControlRequest.Injection.Place, _ pid: Int32, _ random: inout SplitMix
  ) -> (address: UInt64, mapping: String)? {
    let mappings = ProcessFiles.mappings(pid)
    if case .address(let address) = `where` {
      guard let mapping = mappings.first(where: { $0.start <= address && address < $0.end }) else { return nil }
      return (address, mapping.name)
    }
    let program = programFile(pid)
    // What `malloc` and its like get: also anonymous mappings, but not the end of a file's mapping (.bss).
    let files = Set(mappings.filter { $0.isOfFile }.map(\.end))
    func isHeap(_ mapping: ProcessFiles.Mapping) -> Bool {
      mapping.name == "[heap]" || mapping.name.hasPrefix("[anon:")
        || mapping.name.isEmpty && !files.contains(mapping.start)
    }
    let candidates = mappings.filter { mapping in
      switch `where` {
      case .heap: return mapping.isPrivateWritable && isHeap(mapping)
      case .stack: return mapping.isPrivateWritable && mapping.name == "[stack]"
      case .data: return mapping.isPrivateWritable && mapping.name == program
      case .text: return mapping.permissions == "r-xp" && mapping.name == program
      // What the replicas share to stay in step.
      case .buffer: return mapping.permissions.hasSuffix("s") && mapping.name.hasPrefix("/memfd:mfr")
      case .address: return false
      }
    }
    var pages = candidates.flatMap { mapping in ProcessFiles.presentPages(pid, mapping).map { ($0, mapping.name) } }
    if case .buffer(let part?) = `where`, let start = candidates.map(\.start).min() {
      let part = Self.extent(of: part)
      pages.removeAll { !part.contains($0.0 - start) }
    }
    guard !pages.isEmpty else { return nil }
    let page = pages[Int(random.next() % UInt64(pages.count))]
    return (page.0 + random.next() % 512 * 8, page.1)
  }

  private static func extent(of part: ControlRequest.Injection.BufferPart) -> Range<UInt64> {
    let replicas = UInt64(MFR_OFF_REPLICAS_VALUE)
    let slots = UInt64(MFR_OFF_SLOTS_VALUE)
    let data = UInt64(MFR_OFF_DATA_VALUE)
    return switch part {
    case .header: 0..<replicas
    case .replicas: replicas..<UInt64(MFR_OFF_RANGES_VALUE)
    case .slots: slots..<data
    case .data: data..<data + UInt64(MFR_DATA_BYTES)
    }
  }

  private func programFile(_ pid: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 4097)
    let count = readlink("/proc/\(pid)/exe", &buffer, 4096)
    return String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
