/// Faults and divergences: whose are they?
extension ReplicaSet {
  /// A divergence in which the leader is in the minority.
  struct Heal: Sendable {
    var leader: Life
    var sequence: LaneSequence
  }

  // MARK: faults

  mutating func judgeFaults(_ view: inout SetView) {
    for replica in view.replicas where replica.state == .faulted && !replica.verdictGiven && !isCondemned(replica) {
      guard view[replica.index]?.state == .faulted, let fault = replica.fault else { continue }
      if counted[Life(replica)] != fault.sequence {
        counted[Life(replica)] = fault.sequence
        actions.append(.count(.fault))
      }
      switch judge(replica, fault, view) {
      case .own:
        let broken = fault.isHardware
        var event = Event("fault", replica, level: broken ? .error : .info)
        event.cause = Self.cause(of: fault)
        event.text =
          broken
          ? "no replica is left whose memory is whole there"
          : fault.isSent ? "passed over: no other replica is left" : "the guest's own"
        actions.append(.report(event))
        actions.append(.verdict(replica.index, .own))
      case .die:
        kill(replica, Self.cause(of: fault), leaving: false, &view)
        // It was born with broken memory: then its donor's is broken there, too.
        if fault.isHardware, !replica.unshared, let donor = replica.donor.flatMap({ view[$0] }), donor.takesPart {
          kill(donor, Self.cause(of: fault), leaving: false, &view)
        }
      case .go, .again: break  // answers to divergences
      case nil:
        // The others have to come to this place, too.
        for other in view.replicas where other.takesPart && other.parked && other.sequence < fault.sequence {
          actions.append(.wake(other.index))
        }
        // Nobody tells when they do. One that computes may take minutes.
        let waited = fault.at.map(now.since) ?? .zero
        lookAgain(in: max(.microseconds(200), min(waited / 8, .milliseconds(20))))
      }
    }
  }

  /// nil: not known yet.
  private func judge(_ replica: ReplicaView, _ fault: ReplicaView.Fault, _ view: SetView) -> Verdict? {
    let others = view.replicas.filter { $0.takesPart && $0.index != replica.index && !isCondemned($0) }
    if others.isEmpty { return .own }
    if fault.isSent { return .die }
    if fault.isHardware, !replica.unshared {
      let whole = others.contains { $0.index != replica.donor && $0.state == .running && $0.unshared }
      return whole ? .die : .own
    }
    if fault.isHardware {
      return others.contains { $0.state != .faulted || $0.fault?.isHardware == false }
        ? .die : judgeLastHardware(replica, view)
    }
    var undecided = false
    var same = 1
    var different = 0
    for other in others {
      if other.faults > fault.number {
        same += 1  // has had it, and went on
      } else if other.state == .faulted, let theirs = other.fault, theirs.sequence == fault.sequence,
        theirs.number == fault.number
      {
        if theirs.signal == fault.signal { same += 1 } else { different += 1 }
      } else if other.sequence > fault.sequence || isAtCall(other, fault.sequence, view) {
        return .die
      } else if other.state == .diverged {
        continue
      } else {
        undecided = true
      }
    }
    if undecided { return nil }
    if same != different { return same > different ? .own : .die }
    return replica.index == view.leader ? .own : .die
  }

  /// Whether it has come to the call with that number, and so past the place of the fault: it waits there, awake or
  /// asleep, or makes the call, which may take as long as it likes.
  private func isAtCall(_ replica: ReplicaView, _ sequence: LaneSequence, _ view: SetView) -> Bool {
    guard replica.sequence == sequence, replica.state != .faulted else { return false }
    if replica.phase == .parked { return true }
    guard let slot = view.slots[sequence] else { return false }
    return slot.state != .empty && slot.owner == replica.index
  }

  /// All that are left have hit broken memory: one of them must carry on with it.
  private func judgeLastHardware(_ replica: ReplicaView, _ view: SetView) -> Verdict {
    let last = view.replicas.filter { $0.takesPart && !isCondemned($0) }.map(\.index).min()
    return replica.index == last ? .own : .die
  }

  // MARK: divergences

  mutating func judgeDivergences(_ view: inout SetView) {
    for replica in view.replicas where replica.state == .diverged && !replica.verdictGiven && !isCondemned(replica) {
      guard view[replica.index]?.state == .diverged, let theirs = replica.divergence else { continue }
      if counted[Life(replica)] != theirs.sequence {
        counted[Life(replica)] = theirs.sequence
        actions.append(.count(.divergence))
        var event = Event("divergence", replica, level: .warning)
        event.sequence = theirs.sequence
        event.call = theirs.call
        actions.append(.report(event))
      }
    }
    guard heal == nil else {
      lookAgain(in: .milliseconds(1))
      return
    }
    let open = view.replicas.compactMap { replica -> LaneSequence? in
      replica.state == .diverged && !replica.verdictGiven && !isCondemned(replica) ? replica.divergence?.sequence : nil
    }
    // The earliest one first: what comes after it may be its consequence.
    guard let sequence = open.min() else { return }
    judgeDivergence(at: sequence, &view)
  }

  private mutating func judgeDivergence(at sequence: LaneSequence, _ view: inout SetView) {
    let parties = view.replicas.filter { $0.takesPart && !isCondemned($0) }
    var dissent: [Divergent: [ReplicaView]] = [:]
    var agreeing: [ReplicaView] = []
    var undecided: [ReplicaView] = []
    for party in parties {
      if party.state == .diverged, !party.verdictGiven, let own = party.divergence, own.sequence == sequence {
        dissent[Divergent(identity: own.identity, output: own.output), default: []].append(party)
      } else if party.index == view.leader || party.sequence > sequence {
        agreeing.append(party)
      } else {
        undecided.append(party)
      }
    }
    let largest = dissent.values.max { $0.count < $1.count } ?? []
    let others = dissent.values.flatMap { $0 }
    if let leader = view[view.leader], leader.takesPart, agreeing.contains(where: { $0.index == leader.index }) {
      // On another way than the leader's they prove nothing: its calls have been made, theirs have not.
      let comparable = largest.filter { $0.way == leader.way }
      if 2 * comparable.count > parties.count, parties.count > 2 {
        // The leader is wrong: it goes, its later calls with it. What it did at this slot has happened.
        heal = Heal(leader: Life(leader), sequence: sequence)
        for party in agreeing { kill(party, Event.Cause(kind: "divergence"), leaving: false, &view) }
        lookAgain(in: .milliseconds(1))
        return
      }
      if 2 * agreeing.count >= parties.count || undecided.isEmpty {
        for party in others { kill(party, Event.Cause(kind: "divergence"), leaving: false, &view) }
        return
      }
    } else if undecided.isEmpty {
      // The leader is gone: whoever are the most go on from here.
      if let ghost, sequence <= ghost {
        goOn(largest, at: sequence, behind: ghost, &view)
      } else {
        for party in largest { actions.append(.verdict(party.index, .go)) }
      }
      let stays = Set(largest.map(\.index))
      for party in others where !stays.contains(party.index) {
        kill(party, Event.Cause(kind: "divergence"), leaving: false, &view)
      }
      return
    }
    for party in undecided where party.parked { actions.append(.wake(party.index)) }
    lookAgain(in: .microseconds(200))
  }

  private struct Divergent: Hashable {
    var identity: UInt64
    var output: UInt64
  }

  /// After the death of a leader that had gone astray: the lane goes on from where the others left it.
  mutating func finishHeal(_ view: inout SetView) {
    let parties = view.replicas.filter { $0.takesPart && !isCondemned($0) }
    let waiting = parties.filter { $0.state == .diverged && !$0.verdictGiven }
    // A coordinator that started anew finds it by this: nobody is left but those who differed.
    guard let dead = view.lostLeader, heal?.leader == Life(dead) || heal == nil && waiting.count == parties.count,
      let sequence = heal?.sequence ?? waiting.compactMap({ $0.divergence?.sequence }).min()
    else {
      if let heal, !view.replicas.contains(where: { Life($0) == heal.leader }) { self.heal = nil }
      return
    }
    heal = nil
    guard !waiting.isEmpty else { return }
    goOn(waiting.filter { $0.divergence?.sequence == sequence }, at: sequence, behind: dead.sequence, &view)
  }

  /// How the majority goes on at a slot that a dead leader carried out otherwise. The same call with other bytes has
  /// happened, and what that leader did next may be what they are going to do: its slots stay for as long as they
  /// agree, so that nothing is done twice. Another call is not theirs: it and all that came of it is taken back.
  private mutating func goOn(
    _ majority: [ReplicaView], at sequence: LaneSequence, behind last: LaneSequence, _ view: inout SetView
  ) {
    let slot = view.slots[sequence]
    let sameCall = majority.allSatisfy {
      $0.divergence?.call == slot?.call && $0.divergence?.identity == slot?.identity
    }
    if sameCall {
      ghost = last
    } else {
      ghost = nil
      actions.append(.discardSlots(after: LaneSequence(sequence.rawValue &- 1), through: last))
    }
    for replica in majority {
      actions.append(.verdict(replica.index, sameCall ? .go : .again))
      view.change(replica.index) {
        $0.verdictGiven = true
        $0.state = .running
      }
    }
  }
}
