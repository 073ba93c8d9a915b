/// A replica that stops making progress while the others wait for it.
///
/// The ring lets followers be behind by so much and no more: one that hangs would in the end stop the guest. It is
/// replaced instead. A guest that merely waits never gets here: its leader sleeps in a call, not for room.
struct Stall: Sendable {
  /// How long the slowest may stand still while the leader waits for room.
  static let patience = Duration.seconds(2)

  var life: ReplicaSet.Life
  var sequence: LaneSequence
  var since: Moment
}

extension ReplicaSet {
  mutating func watchStall(_ view: inout SetView) {
    guard view.stalled,
      let slowest = view.replicas.filter({ $0.takesPart && !isCondemned($0) && $0.index != view.leader })
        .min(by: { $0.sequence < $1.sequence })
    else {
      stall = nil
      return
    }
    if let known = stall, known.life == Life(slowest), known.sequence == slowest.sequence {
      if now.since(known.since) >= Stall.patience {
        stall = nil
        kill(slowest, Event.Cause(kind: "hang"), leaving: false, &view)
        return
      }
    } else {
      stall = Stall(life: Life(slowest), sequence: slowest.sequence, since: now)
    }
    lookAgain(in: .seconds(1))
  }
}
