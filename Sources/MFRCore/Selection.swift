/// Who may be leader.
public enum SelectionPolicy: String, CaseIterable, Sendable {
  /// The replica that is ahead; it keeps the lead until another one has waited too long for it.
  case fastest

  static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

/// The decisions of a policy.
enum Selection {
  /// Who leads after the leader has died: one whose memory is its own; of those, who is furthest.
  static func heir(_ replicas: [ReplicaView]) -> ReplicaView? {
    let able = replicas.filter(\.canLead)
    return (able.isEmpty ? replicas.filter(\.takesPart) : able).max {
      ($0.unshared ? 1 : 0, $0.sequence, $1.index) < ($1.unshared ? 1 : 0, $1.sequence, $0.index)
    }
  }

  /// Whose bid moves the grant: that of the bidder who is furthest, if the leader is not in the slot it waits for.
  static func winner(of bidders: [ReplicaView], in view: SetView) -> ReplicaView? {
    // A leader that waits for room is not late, and whoever took its place would wait for the same follower.
    // One that hung while it waited has left the sign behind: nobody is behind it any more.
    if view.stalled, let leader = view[view.leader],
      view.replicas.contains(where: { $0.takesPart && $0.sequence < leader.sequence })
    {
      return nil
    }
    let able = bidders.filter { bidder in
      guard bidder.canLead, bidder.unshared, bidder.index != view.leader else { return false }
      guard let slot = view.slots[bidder.sequence], slot.state == .empty else { return false }
      guard let leader = view[view.leader], leader.takesPart else { return true }
      return leader.sequence <= bidder.sequence
    }
    return able.max { ($0.sequence, $1.index) < ($1.sequence, $0.index) }
  }
}
