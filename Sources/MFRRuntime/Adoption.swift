import CMFRABI
import Glibc
import MFRCore

/// This process was a process of the guest until a moment ago: its clone carries the guest on and waits for us to be
/// its anchor (`promote.c`). There is no way back: whatever goes wrong here, the guest must go on.
public enum Adoption {
  /// Serves the guest until it has ended. `descriptor`: the new buffer; all other descriptors are the guest's.
  public static func run(descriptor: Int32) -> Never {
    _ = mfr_host_block_all()
    // Whoever reads what the guest writes waits for its end of file: no copy may stay here.
    _ = mfr_host_close_from(0, descriptor, -1)
    let null = open("/dev/null", O_RDWR)
    for standard in 0...2 where Int32(standard) != null && null >= 0 { dup2(null, Int32(standard)) }
    chdir("/")
    guard let buffer = try? SyncBuffer(mapping: descriptor, anchor: getpid()),
      mfr_host_adoption(buffer.base).pointee.pid > 0
    else {
      mfr_host_exit(125)
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    serve(buffer, descriptor)
  }

  private static func serve(_ buffer: SyncBuffer, _ descriptor: Int32) -> Never {
    let base = buffer.base
    let clone = mfr_host_adoption(base).pointee.pid
    let names = ProcessFiles.names(clone)
    let family = Family(text: buffer.text(mfr_header_family(base), capacity: Int(MFR_FAMILY_BYTES)))
    for variable in family.variables { putenv(strdup(variable)) }
    let tool = ShimFile.toolPath()
    let inherited = min(mfr_host_adoption(base).pointee.level, RunOptions.maximumLevel)
    let level = family.level(of: names, inherited: inherited)
    SetSettings(
      identifier: UInt32(clamping: getpid()), level: level, family: family,
      youngMilliseconds: buffer.load(mfr_header_young_ms(base)), tool: tool
    ).fill(buffer)
    if let name = names.first { buffer.setProgram(name) }
    buffer.store(mfr_replica_pid(base, 0), clone)
    let children = ProcessFiles.children(of: getpid()).filter { $0 != clone }
    for child in children { mfr_child_add(base, child) }
    // From here on signals go into the buffer: the clone has them all blocked, and would not get them otherwise.
    buffer.store(mfr_header_mode(base), MFR_MODE_LANE.rawValue)
    buffer.store(mfr_header_magic(base), UInt64(MFR_ABI_MAGIC))

    let start = CoordinatorSettings(
      descriptor: descriptor, anchor: getpid(), sync: family.sync, selection: family.selection, events: family.events,
      limits: family.limits,
      verbose: false
    ).starter(buffer: buffer, tool: tool, null: 0, errors: -1)
    let coordinator = start()
    let anchor = Anchor(
      buffer: buffer, descriptor: descriptor, coordinator: max(0, coordinator), startCoordinator: start)
    var failure = coordinator < 0 ? "no coordinator could be started: \(SystemError.text(-coordinator))" : nil
    do { try anchor.startCallThread() } catch { failure = "\(error)" }
    if let failure {
      buffer.setReason(failure)
      buffer.store(mfr_header_no_grow(base), 1)
      buffer.store(mfr_header_mode(base), MFR_MODE_NATIVE.rawValue)
    } else {
      anchor.startDeathThread()
    }
    anchor.adopt(children)
    anchor.resemble(clone)
    let state = mfr_host_adoption_state(base)
    buffer.store(state, (failure == nil ? MFR_ADOPTION_LANE : MFR_ADOPTION_NATIVE).rawValue)
    _ = mfr_host_futex_wake(state, Int32.max)
    anchor.run()
  }
}
