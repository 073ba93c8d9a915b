/// Keeping large guests quick to clone.
///
/// A clone copies the page tables of its donor, and the donor stands still meanwhile: 40 ms for each GB in small pages,
/// less than 1 ms in huge ones. So whatever is wholly present in a large replica is made huge pages, before anybody has
/// to be cloned; joiners do it while they un-share.
struct Folding: Sendable {
  /// A guest with less is cloned in about a millisecond as it is.
  static let worthwhile: UInt64 = 32 << 20
  static let pause = Duration.seconds(1)
  /// How often a replica that sleeps is woken to go on with it.
  static let step = Duration.milliseconds(5)
  var looked: Moment?
  /// Where replicas stood when they were asked last: who has done nothing since has nothing new.
  var asked: [ReplicaSet.Life: LaneSequence] = [:]
}

extension ReplicaSet {
  mutating func foldMemory(_ view: SetView) {
    for replica in view.replicas where replica.foldRequested && replica.takesPart && !isCondemned(replica) {
      guard replica.phase == .blocked || replica.phase == .parked else { continue }
      actions.append(.nudge(replica.index))
      lookAgain(in: Folding.step)
    }
    guard !isUrgent(view), view.level > 0, view.collapse == .none, view.execPid.rawValue == 0,
      // What is shared with a joiner becomes its own when that un-shares.
      !view.replicas.contains(where: { $0.state == .reserved || $0.state == .joining })
    else { return }
    if let looked = folding.looked, now.since(looked) < Folding.pause { return }
    folding.looked = now
    let able = view.replicas.filter { replica in
      guard replica.live, replica.state == .running, replica.unshared, !isCondemned(replica), !replica.foldRequested,
        folding.asked[Life(replica)] != replica.sequence
      else { return false }
      // Children of the guest share the leader's pages until one of the two writes; a fold is a write to all.
      return replica.index != view.leader || !view.hasChildren
    }
    guard let first = able.first, let memory = surroundings.memory(first), memory.needed >= Folding.worthwhile else {
      return
    }
    for replica in able {
      folding.asked[Life(replica)] = replica.sequence
      actions.append(.fold(replica.index))
    }
  }
}
