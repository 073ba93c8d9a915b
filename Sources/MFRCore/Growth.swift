/// Making good what was lost: one new replica at a time, more slowly when they keep dying.
public struct Growth: Sendable {
  static let earlyLimit = 10
  /// A replica that dies younger than this has not done its work: something in it keeps failing.
  static let infancy = Duration.milliseconds(50)
  /// The clone that is under way.
  struct Order: Sendable {
    var place: ReplicaIndex
    var donor: ReplicaIndex
    var donorGeneration: UInt32
    var nudge: Duration
    var nudged: Moment
  }
  var order: Order?
  private var early: [Moment] = []
  private var delay: Duration = .zero
  var pausedUntil: Moment?
  /// Why growth rests, empty when it does not.
  public private(set) var reason = ""

  var donor: ReplicaIndex? { order?.donor }
  mutating func forget() { order = nil }

  /// A replica died that nobody had told to go.
  mutating func noteLoss(bornAt birth: Moment?, at death: Moment) {
    early.removeAll { death.since($0) > .seconds(10) }
    guard let birth, death.since(birth) < Self.infancy else {
      if let birth, death.since(birth) > .seconds(10) { calm() }
      return
    }
    early.append(death)
    if early.count > Self.earlyLimit {
      early.removeFirst(early.count - Self.earlyLimit)
      pause(from: death, because: "new replicas keep dying within 50 ms")
    }
  }

  mutating func pause(from moment: Moment, because text: String) {
    delay = min(max(delay * 2, .milliseconds(100)), .seconds(30))
    pausedUntil = moment + delay
    reason = text
  }

  mutating func calm() {
    delay = .zero
    early = []
    reason = ""
  }

  mutating func resumed() { reason = "" }
}

extension ReplicaSet {
  mutating func grow(_ view: SetView) {
    watchOrder(view)
    guard growth.order == nil, !view.mayNotGrow, view.collapse == .none, view.execPid.rawValue == 0 else { return }
    let present = view.replicas.filter { $0.exists && $0.state != .dead && $0.state != .left && !isCondemned($0) }
    guard present.count < Int(min(view.level, 15)) + 1 else { return }
    if present.contains(where: { $0.state == .reserved || $0.state == .joining }) { return }
    if let until = growth.pausedUntil {
      if now < until {
        lookAgain(in: until.since(now))
        return
      }
      growth.pausedUntil = nil
      growth.resumed()
    }
    guard let donor = donor(view, present), let place = view.replicas.first(where: { !$0.exists }) else { return }
    growth.order = Growth.Order(
      place: place.index, donor: donor.index, donorGeneration: donor.generation, nudge: .milliseconds(1), nudged: now)
    actions.append(.clone(place.index, donor: donor.index))
    actions.append(.nudge(donor.index))
    lookAgain(in: .milliseconds(1))
  }

  /// A follower whose memory is its own; the leader only when there is no such follower.
  private func donor(_ view: SetView, _ present: [ReplicaView]) -> ReplicaView? {
    let able = present.filter { $0.live && $0.state == .running && $0.unshared }
    let followers = able.filter { $0.index != view.leader }
    return followers.max { $0.sequence < $1.sequence } ?? able.first
  }

  /// Looks after the clone that was asked for: repeats the nudge, gives up when nothing can come of it.
  private mutating func watchOrder(_ view: SetView) {
    // A coordinator before this one may have asked.
    if growth.order == nil, let place = view.replicas.first(where: { $0.state == .reserved && $0.pid.rawValue == 0 }) {
      let donor = view.replicas.first { $0.cloneRequested && $0.takesPart }
      guard let donor else {
        // Start-up clones without being asked: a donor that is at it has set the place's bit.
        if place.live, let seen = born[Life(place)], now.since(seen) < .seconds(1) {
          lookAgain(in: .milliseconds(20))
        } else {
          actions.append(.abandonClone(place.index, donor: nil))
        }
        return
      }
      growth.order = Growth.Order(
        place: place.index, donor: donor.index, donorGeneration: donor.generation, nudge: .milliseconds(1), nudged: now)
    }
    guard let order = growth.order else { return }
    guard let place = view[order.place], place.state == .reserved, place.pid.rawValue == 0 else {
      growth.order = nil
      return
    }
    let donor = view[order.donor]
    if let donor, donor.takesPart, donor.generation == order.donorGeneration, !isCondemned(donor) {
      if donor.cloneRequested {
        let waited = now.since(order.nudged)
        if waited >= order.nudge {
          growth.order?.nudged = now
          growth.order?.nudge = min(order.nudge * 2, .milliseconds(100))
          actions.append(.nudge(order.donor))
        }
        lookAgain(in: order.nudge)
        return
      }
      if donor.requestResult >= 0, place.live || now.since(order.nudged) < .milliseconds(100) {
        lookAgain(in: .milliseconds(1))  // at it: a large process takes long to clone
        return
      }
      if donor.requestResult < 0 {
        growth.pause(from: now, because: "cloning failed with error \(-donor.requestResult)")
        var event = Event("growth", donor, level: .error)
        event.text = growth.reason
        actions.append(.report(event))
      }
    }
    actions.append(.abandonClone(order.place, donor: order.donor))
    growth.order = nil
    lookAgain(in: .milliseconds(1))
  }
}
