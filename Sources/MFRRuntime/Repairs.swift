import CMFRABI
import Glibc
import MFRCore

/// Carries actions out on the buffer and on replicas.
struct Repairs {
  let buffer: SyncBuffer
  let events: EventLog
  private var base: UnsafeMutableRawPointer { buffer.base }
  /// Where the next batch of ranges of a joiner begins, by place and life.
  private var unshareCursor: [UInt32: (generation: UInt32, next: UInt64)] = [:]

  init(buffer: SyncBuffer, events: EventLog) {
    self.buffer = buffer
    self.events = events
  }

  mutating func carryOut(_ action: Action) {
    switch action {
    case .settle(let index, let settlement): settle(index.rawValue, settlement)
    case .discardSlots(let after, let through): discard(after: after.rawValue, through: through.rawValue)
    case .grant(let index): grant(index.rawValue)
    case .wake(let index): buffer.unpark(index.rawValue)
    case .dismissBid(let index): buffer.store(mfr_replica_bid(base, index.rawValue), 0)
    case .kill(let index, let leaving): kill(index.rawValue, leaving: leaving)
    case .verdict(let index, let verdict): give(verdict, to: index.rawValue)
    case .clone(let index, let donor): reserve(index.rawValue, donor: donor.rawValue)
    case .abandonClone(let index, let donor):
      if let donor { _ = mfr_and_acqrel32(mfr_replica_request(base, donor.rawValue), ~MFR_REQ_CLONE) }
      if buffer.load(mfr_replica_pid(base, index.rawValue)) == 0 {
        _ = mfr_and_acqrel32(mfr_header_live(base), ~(1 << index.rawValue))
        change(index.rawValue, from: MFR_REPLICA_RESERVED, to: MFR_REPLICA_FREE)
      }
    case .nudge(let index): Self.nudge(buffer, index.rawValue)
    case .unshare(let index): unshare(index.rawValue)
    case .fold(let index): fold(index.rawValue)
    case .alone: alone()
    case .execOver:
      let word = mfr_header_exec_pid(base)
      buffer.store(word, 0)
      word.withMemoryRebound(to: UInt32.self, capacity: 1) { _ = mfr_host_futex_wake($0, Int32.max) }
    case .noteInStep(let index): mark(index.rawValue, MFR_MARK_IN_STEP)
    case .noteLoss(let index, let moment): noteLoss(index.rawValue, moment)
    case .forgetLosses: buffer.store(mfr_header_owed(base), 0)
    case .halt: buffer.store(mfr_header_halted(base), 1)
    case .count(let counter): count(counter)
    case .report(let event): events.write(event)
    }
  }

  @discardableResult
  private func change(_ place: UInt32, from: mfr_replica_state, to: mfr_replica_state) -> Bool {
    mfr_cas_acqrel32(mfr_replica_state(base, place), from.rawValue, to.rawValue) != 0
  }

  private func settle(_ place: UInt32, _ settlement: Settlement) {
    let sequence = buffer.load(mfr_replica_seq(base, place))
    let field = mfr_host_slot_word(base, sequence)
    let word = mfr_load_acquire64(field)
    if settlement != .nothing, mfr_word_is_seq(word, sequence) != 0 {
      let free = word & ~UInt64(MFR_WORD_STATE_MASK)
      let slot = mfr_host_slot(base, sequence)
      switch settlement {
      case .done(let result):
        slot.pointee.result = result
        if CallTable.rule(mfr_word_nr(word)) == .child, result > 0 { mfr_child_add(base, Int32(clamping: result)) }
        // The kill may have cut a writing call short; nobody has told the guest, so it goes on with the rest.
        slot.pointee.flags = UInt16(MFR_SLOT_KICKED) | slot.pointee.flags & UInt16(MFR_SLOT_MAPPED)
        slot.pointee.signo = 0
        _ = mfr_cas_acqrel64(field, word, free | UInt64(MFR_SLOT_DONE.rawValue))
      case .untouched: _ = mfr_cas_acqrel64(field, word, free | UInt64(MFR_SLOT_EMPTY.rawValue))
      default:
        _ = mfr_cas_acqrel64(field, word, free | UInt64(MFR_WORD_RETRY) | UInt64(MFR_SLOT_EMPTY.rawValue))
      }
    }
    _ = mfr_and_acqrel32(mfr_header_live(base), ~(1 << place))
    _ = mfr_and_acqrel32(mfr_header_parked(base), ~(1 << place))
    buffer.store(mfr_replica_settled(base, place), 1)
    buffer.wakeAnchor()
  }

  private func discard(after: UInt64, through: UInt64) {
    let count = through > after ? min(through - after, UInt64(MFR_SLOTS_VALUE)) : 0
    guard count > 0 else { return }
    for step in 1...count { mfr_store_release64(mfr_host_slot_word(base, after &+ step), 0) }
  }

  private func grant(_ place: UInt32) {
    let field = mfr_header_grant(base)
    let epoch = (buffer.load(field) >> 8) &+ 1
    buffer.store(mfr_header_grant_seq(base), buffer.load(mfr_replica_seq(base, place)))
    buffer.store(field, epoch << 8 | UInt64(place))
  }

  private func kill(_ place: UInt32, leaving: Bool) {
    if leaving {
      mark(place, MFR_MARK_LEAVES)
      for state in [MFR_REPLICA_RUNNING, MFR_REPLICA_JOINING, MFR_REPLICA_FAULTED, MFR_REPLICA_DIVERGED] {
        change(place, from: state, to: MFR_REPLICA_LEFT)
      }
    }
    if let pid = buffer.replicaPid(place) { _ = mfr_host_kill(pid, SIGKILL) }
  }

  private func give(_ verdict: Verdict, to place: UInt32) {
    let field = mfr_replica_verdict(base, place)
    buffer.store(field, verdict.rawValue)
    _ = mfr_host_futex_wake(field, Int32.max)
  }

  private func reserve(_ place: UInt32, donor: UInt32) {
    guard buffer.load(mfr_replica_pid(base, place)) == 0 else { return }
    prepare(place)
    guard change(place, from: MFR_REPLICA_FREE, to: MFR_REPLICA_RESERVED) else { return }
    mfr_replica_request_result(base, donor).pointee = 0
    buffer.store(mfr_replica_request_arg(base, donor), UInt64(place))
    _ = mfr_or_acqrel32(mfr_replica_request(base, donor), MFR_REQ_CLONE)
  }

  /// Clears what the last process at this place has left, all but its generation.
  private func prepare(_ place: UInt32) {
    let generation = buffer.load(mfr_replica_generation(base, place))
    mfr_host_clear_replica(base, place)
    buffer.store(mfr_replica_generation(base, place), generation &+ 1)
  }

  private mutating func unshare(_ place: UInt32) {
    let generation = buffer.load(mfr_replica_generation(base, place))
    guard let pid = buffer.replicaPid(place) else { return }
    var next: UInt64 = 0
    if let cursor = unshareCursor[place], cursor.generation == generation { next = cursor.next }
    let ranges = ProcessFiles.mappings(pid).filter { $0.isPrivateWritable && $0.start >= next }
    let half = Int(MFR_RANGES) / 2
    let batch = ranges.prefix(half)
    let table = mfr_host_ranges(base, place)
    for (offset, range) in batch.enumerated() {
      table[offset] = mfr_range(start: range.start | Self.flags(of: range), end: range.end)
    }
    let away = ProcessFiles.awayRuns(pid, Array(batch), limit: half)
    for (offset, run) in away.enumerated() {
      table[batch.count + offset] = mfr_range(start: run.lowerBound | UInt64(MFR_RANGE_ALL), end: run.upperBound)
    }
    buffer.store(mfr_replica_range_count(base, place), UInt32(batch.count + away.count))
    buffer.store(mfr_replica_ranges_more(base, place), ranges.count > batch.count ? 1 : 0)
    unshareCursor[place] = (generation, batch.last?.end ?? next)
    _ = mfr_or_acqrel32(mfr_replica_request(base, place), MFR_REQ_UNSHARE)
    Self.nudge(buffer, place)
  }

  /// A page of a file that nobody has touched yet would be the page cache's in every replica that reads it later.
  private static func flags(of mapping: ProcessFiles.Mapping) -> UInt64 {
    guard mapping.isOfFile else { return 0 }
    let isSmall = mapping.end - mapping.start <= 16 << 20
    return UInt64(isSmall ? MFR_RANGE_FLAGS : MFR_RANGE_FILE)
  }

  /// The largest anonymous mappings; a piece is of the size of a huge page and aligned to it.
  private func fold(_ place: UInt32) {
    guard let pid = buffer.replicaPid(place) else { return }
    let piece: UInt64 = 2 << 20
    let mappings = ProcessFiles.mappings(pid).filter { $0.isPrivateWritable && !$0.isOfFile }
    let ranges = mappings.compactMap { mapping -> mfr_range? in
      let range = mfr_range(start: (mapping.start + piece - 1) / piece * piece, end: mapping.end / piece * piece)
      return range.start < range.end ? range : nil
    }
    let largest = ranges.sorted { $0.end - $0.start > $1.end - $1.start }.prefix(Int(MFR_RANGES))
    guard !largest.isEmpty else { return }
    let table = mfr_host_ranges(base, place)
    for (offset, range) in largest.enumerated() { table[offset] = range }
    buffer.store(mfr_replica_range_count(base, place), UInt32(largest.count))
    buffer.store(mfr_replica_ranges_more(base, place), 0)
    _ = mfr_or_acqrel32(mfr_replica_request(base, place), MFR_REQ_FOLD)
    Self.nudge(buffer, place)
  }

  private func alone() {
    let field = mfr_header_collapse(base)
    buffer.store(field, MFR_COLLAPSE_ALONE.rawValue)
    _ = mfr_host_futex_wake(field, Int32.max)
  }

  private func mark(_ place: UInt32, _ mark: mfr_mark) {
    _ = mfr_or_acqrel32(mfr_replica_marks(base, place), mark.rawValue)
  }

  private func noteLoss(_ place: UInt32, _ moment: Moment) {
    guard buffer.load(mfr_replica_marks(base, place)) & MFR_MARK_LOST.rawValue == 0 else { return }
    let lost = buffer.load(mfr_header_lost(base))
    buffer.store(mfr_header_loss_ns(base, lost), moment.rawValue)
    buffer.store(mfr_header_lost(base), lost &+ 1)
    buffer.store(mfr_header_owed(base), min(buffer.load(mfr_header_owed(base)) &+ 1, UInt64(MFR_LOSSES)))
    mark(place, MFR_MARK_LOST)
  }

  private func count(_ counter: Action.Counter) {
    if counter == .respawn {
      let owed = buffer.load(mfr_header_owed(base))
      if owed > 0 { buffer.store(mfr_header_owed(base), owed - 1) }
    }
    let field =
      switch counter {
      case .failover: mfr_header_failovers(base)
      case .respawn: mfr_header_respawns(base)
      case .divergence: mfr_header_divergences(base)
      case .bid: mfr_header_bids(base)
      case .fault: mfr_header_faults(base)
      case .collapse: mfr_header_collapses(base)
      }
    buffer.add(field, 1)
  }
}

extension Repairs {
  /// Gets a replica to look at its requests: out of a queue for a slot, or out of a blocking call.
  static func nudge(_ buffer: SyncBuffer, _ place: UInt32) {
    let base = buffer.base
    let leads = place == UInt32(truncatingIfNeeded: buffer.load(mfr_header_grant(base)) & 0xff)
    if leads { _ = mfr_or_acqrel32(mfr_header_kick(base), 1) }
    buffer.unpark(place)
    // The leader is kicked whatever its phase seems to be: it enters a blocking call without a fence.
    if leads || buffer.load(mfr_replica_phase(base, place)) == MFR_PHASE_BLOCKED.rawValue,
      let pid = buffer.replicaPid(place)
    {
      _ = mfr_host_kick(base, place, pid)
    }
  }
}

extension SyncBuffer {
  /// Pid of the replica at a place, if it is one: only a child of the anchor is signalled, whatever the buffer says.
  func replicaPid(_ place: UInt32) -> Int32? {
    let pid = load(mfr_replica_pid(base, place))
    guard pid > 1, pid != getpid(), ProcessFiles.parent(pid) == anchor else { return nil }
    return pid
  }
}
