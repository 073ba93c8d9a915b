/// How protected a set is right now.
public struct Protection: Equatable, Sendable {
  public enum State: String, Sendable { case protected, degraded, unprotected }
  public var state: State
  /// Why it is not more; empty when all is as asked.
  public var reason: String

  /// `growth`: why no new replica is being made, empty when one is.
  public static func of(_ view: SetView, growth: String = "") -> Protection {
    let taking = view.replicas.filter(\.takesPart)
    let whole = taking.filter { $0.state == .running && $0.unshared }
    let wanted = Int(min(view.level, 15)) + 1
    if view.mode == .starting { return Protection(state: .unprotected, reason: "the program is starting") }
    if view.mode == .native || view.mayNotGrow {
      return Protection(state: .unprotected, reason: view.reason.isEmpty ? "it cannot be kept in step" : view.reason)
    }
    if wanted == 1 { return Protection(state: .unprotected, reason: "level 0 was asked for") }
    if whole.count >= wanted { return Protection(state: .protected, reason: "") }
    let joining = taking.count > whole.count
    var reason = "\(whole.count) of \(wanted) replicas"
    if !growth.isEmpty {
      reason += "; \(growth)"
    } else if joining {
      reason += "; another one is joining"
    }
    return Protection(state: taking.count >= 2 && whole.count >= 1 ? .degraded : .unprotected, reason: reason)
  }
}
