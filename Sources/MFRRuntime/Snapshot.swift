import CMFRABI
import Glibc
import MFRCore

/// Reads the buffer into values. Nothing here traps on whatever a broken guest may have written.
extension SyncBuffer {
  /// The set as it looks now. With `facts`, also what settlement must know of the dead.
  func view(facts: Bool) -> SetView {
    var view = SetView()
    view.mode = SetView.Mode(rawValue: load(mfr_header_mode(base))) ?? .starting
    view.level = min(load(mfr_header_level(base)), 15)
    view.leader = ReplicaIndex(UInt32(truncatingIfNeeded: load(mfr_header_grant(base)) & 0xff) % Self.replicaCount)
    view.collapse = SetView.Collapse(rawValue: load(mfr_header_collapse(base))) ?? .none
    view.collapseBy = ReplicaIndex(load(mfr_header_collapse_by(base)) % Self.replicaCount)
    view.hasChildren = mfr_host_has_children(base) != 0
    view.mayNotGrow = load(mfr_header_no_grow(base)) != 0
    view.execPid = ProcessID(load(mfr_header_exec_pid(base)))
    view.execArrived = load(mfr_header_exec_arrived(base)) != 0
    view.ending = load(mfr_header_ending(base)) != 0
    view.stalled = load(mfr_header_stalled(base)) != 0
    view.halted = load(mfr_header_halted(base)) != 0
    view.losses = losses()
    view.reason = reason
    let live = load(mfr_header_live(base))
    let parked = load(mfr_header_parked(base))
    for place in 0..<Self.replicaCount {
      let replica = replicaView(place, live: live, parked: parked, facts: facts)
      view.replicas.append(replica)
      if replica.bids || replica.state == .dead || replica.index == view.leader {
        view.slots[replica.sequence] = slotView(replica.sequence)
      }
      if let divergence = replica.divergence { view.slots[divergence.sequence] = slotView(divergence.sequence) }
    }
    // After the replicas: one that ends with the guest has said so before it died.
    view.ended = load(mfr_header_exit_kind(base)) != MFR_EXIT_NONE.rawValue
    return view
  }

  private func replicaView(_ place: UInt32, live: UInt32, parked: UInt32, facts: Bool) -> ReplicaView {
    let copy = mfr_host_replica(base, place)
    var view = ReplicaView(index: ReplicaIndex(place))
    // What is no state is taken for one that nothing is done about but noting its death.
    view.state = ReplicaView.State(rawValue: copy.state) ?? .left
    view.phase = ReplicaView.Phase(rawValue: copy.phase) ?? .guest
    view.parked = view.phase == .parked && copy.park == 1
    view.pid = ProcessID(copy.pid)
    view.sequence = LaneSequence(copy.seq)
    view.bids = copy.bid != 0
    view.live = live & (1 << place) != 0
    view.unshared = copy.unshared != 0
    view.generation = copy.generation
    view.donor = copy.donor == 0 ? nil : ReplicaIndex((copy.donor - 1) % Self.replicaCount)
    view.cloned = copy.cloned_ns == 0 ? nil : Moment(copy.cloned_ns)
    view.verdictGiven = copy.verdict != MFR_VERDICT_NONE.rawValue
    view.cloneRequested = copy.request & MFR_REQ_CLONE != 0
    view.foldRequested = copy.request & MFR_REQ_FOLD != 0
    view.unshareRequested = copy.request & MFR_REQ_UNSHARE != 0
    view.requestResult = copy.request_result
    if copy.fault.signo != 0 {
      view.fault = ReplicaView.Fault(
        signal: Int32(truncatingIfNeeded: copy.fault.signo), code: copy.fault.code, address: copy.fault.address,
        sequence: LaneSequence(copy.fault.seq), number: copy.fault.number, at: Moment(copy.fault.when_ns))
    }
    view.faults = copy.faults
    view.marks = ReplicaView.Marks(rawValue: copy.marks)
    view.way = load(mfr_host_way(base, place))
    if view.state == .diverged {
      view.divergence = ReplicaView.Divergence(
        sequence: LaneSequence(copy.diverged_seq), identity: copy.diverged_identity, output: copy.diverged_out_hash,
        call: copy.diverged_nr)
    }
    // The anchor may have cleared the place since: `settled` is taken back last, so a death that is over is not told twice.
    if view.state == .dead, copy.settled == 0, load(mfr_replica_state(base, place)) != MFR_REPLICA_DEAD.rawValue {
      view.state = .free
    }
    if view.state == .dead, copy.settled == 0, facts {
      view.death = ReplicaView.Death(
        exited: copy.wait_code == Int32(CLD_EXITED), value: copy.wait_status, at: Moment(copy.died_ns),
        facts: settlementFacts(copy, place))
    }
    return view
  }

  /// When the replicas were lost that are not made good yet.
  private func losses() -> [Moment] {
    let lost = load(mfr_header_lost(base))
    let owed = min(load(mfr_header_owed(base)), lost, UInt64(MFR_LOSSES))
    return (0..<owed).map { Moment(load(mfr_header_loss_ns(base, lost &- owed &+ $0))) }
  }

  func slotView(_ sequence: LaneSequence) -> SlotView {
    let slot = mfr_host_slot(base, sequence.rawValue)
    let word = mfr_load_acquire64(mfr_host_slot_word(base, sequence.rawValue))
    guard mfr_word_is_seq(word, sequence.rawValue) != 0 else {
      return SlotView(state: .empty, owner: ReplicaIndex(0), call: 0)
    }
    let state: SlotView.State =
      switch mfr_word_state(word) {
      case MFR_SLOT_CLAIMED.rawValue: .claimed
      case MFR_SLOT_DONE.rawValue: .done
      default: .empty
      }
    return SlotView(
      state: state, owner: ReplicaIndex(mfr_word_owner(word)), call: mfr_word_nr(word),
      identity: slot.pointee.identity, output: slot.pointee.out_hash)
  }

  private func settlementFacts(_ copy: mfr_replica, _ place: UInt32) -> SettlementFacts {
    let sequence = copy.seq
    let slot = slotView(LaneSequence(sequence))
    let rule = CallTable.rule(slot.call)
    var facts = SettlementFacts(
      claimed: slot.state == .claimed && slot.owner.rawValue == place, begun: copy.begun == sequence &+ 1,
      call: slot.call, rule: rule, readPublished: copy.in_sum, writtenPublished: copy.out_sum)
    guard facts.claimed, facts.begun else { return facts }
    switch rule {
    case .countIn, .countOut, .countBoth:
      let totals = ProcessFiles.ioTotals(copy.pid)
      facts.read = totals?.read
      facts.written = totals?.written
    case .record, .child:
      let offset = mfr_host_slot(base, sequence).pointee.data_off
      facts.record = data(at: offset, count: 128)
      // epoll events: as many as the record says, within one slot's data
      let kind = UInt32(facts.record[0])
      let count = Int(facts.record[4]) | Int(facts.record[5]) << 8 | Int(facts.record[6]) << 16
      if rule == .record, kind == 2 {
        facts.record = data(at: offset, count: min(64 + count * 12, Int(MFR_CHUNK_MAX_VALUE)))
      }
    default: break
    }
    return facts
  }

  private func data(at offset: UInt64, count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { raw in
      if let start = raw.baseAddress { mfr_host_data_copy(base, offset, start, UInt32(count)) }
    }
    return bytes
  }
}
