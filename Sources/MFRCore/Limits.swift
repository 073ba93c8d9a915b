/// When to give a replica up, and when to stop making new ones.
public struct Limits: Equatable, Sendable {
  /// So many lost in so much time.
  public struct Rate: Equatable, Sendable {
    public var count: UInt32
    public var window: Duration
    public init(count: UInt32, window: Duration) {
      self.count = count
      self.window = window
    }

    /// `10/60`: ten in a minute.
    public init?(_ text: String) {
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, let count = UInt32(parts[0]), let seconds = UInt32(parts[1]), count > 0, seconds > 0
      else { return nil }
      self.init(count: count, window: .seconds(Int64(seconds)))
    }

    var text: String { "\(count) replicas were lost within \(window.components.seconds) s" }
    public var argument: String { "\(count)/\(window.components.seconds)" }
  }

  /// A replica that makes no progress for so long while others do is replaced; nil: none is.
  public var hangAfter: Duration? = .seconds(10)
  /// Beyond this no replica is made until the user asks for it; nil: there is no limit.
  public var respawns: Rate? = Rate(count: 100, window: .seconds(10))

  public init() {}

  /// Seconds, in tenths at the finest; 0: never.
  public mutating func setHangAfter(_ text: String) -> Bool {
    guard let seconds = Double(text), seconds >= 0, seconds <= 86_400 else { return false }
    hangAfter = seconds == 0 ? nil : max(.milliseconds(100), .milliseconds(Int64(seconds * 1000)))
    return true
  }
  public mutating func setRespawns(_ text: String) -> Bool {
    if text == "0" {
      respawns = nil
      return true
    }
    guard let rate = Rate(text) else { return false }
    respawns = rate
    return true
  }

  /// As `setHangAfter` and `setRespawns` read them.
  public var hangAfterArgument: String {
    guard let hangAfter else { return "0" }
    let (seconds, attoseconds) = hangAfter.components
    return String(Double(seconds) + Double(attoseconds) / 1e18)
  }
  public var respawnsArgument: String { respawns?.argument ?? "0" }
}
