import Glibc
import MFRControl
import MFRHarness

/// What one server did under load in one turn. CPU times are microseconds per request.
struct ServiceTurn {
  let rate: Double
  let p50: Double
  let p99: Double
  let leader: Double
  let followers: [Double]
  let ours: Double
  let moved: Bool

  static func run(
    _ service: Service, _ setup: Setup, seconds: Double, connections: Int, options: [String]
  ) throws -> ServiceTurn {
    let directory = try File.temporaryDirectory("mfr-bench-")
    defer { File.removeTree(directory) }
    let running = try RunningService(service, level: setup.level, directory: directory, options: options)
    defer { running.stop() }
    let warm = try running.startLoad(seconds: 0.3, connections: connections).finish(upTo: .seconds(60))
    guard warm.isClean else { throw Failure("\(setup.name): \(warm.text)") }
    var report = warm
    let use = try CPUUse(of: running.guest) {
      report = try running.startLoad(seconds: seconds, connections: connections)
        .finish(upTo: .seconds(fraction: seconds + 60))
    }
    guard report.isClean else { throw Failure("\(setup.name): \(report.text)") }
    func each(_ time: Duration) -> Double { time.microseconds / Double(report.requests) }
    return ServiceTurn(
      rate: report.requestsPerSecond, p50: report.p50.microseconds, p99: report.p99.microseconds,
      leader: each(use.leader), followers: use.followers.map(each), ours: each(use.ours), moved: use.moved)
  }

  var json: JSON {
    .object([
      .init("requests_per_second", .number(rate)), .init("p50_us", .number(p50)), .init("p99_us", .number(p99)),
      .init("leader_us", .number(leader)), .init("followers_us", .array(followers.map(JSON.number))),
      .init("mfr_us", .number(ours)), .init("leader_moved", .bool(moved)),
    ])
  }
}

struct ServiceTable {
  let service: Service
  let setups: [Setup]
  private var turns: [Setup: [ServiceTurn]] = [:]

  init(service: Service, setups: [Setup]) {
    self.service = service
    self.setups = setups
  }

  mutating func add(_ turn: ServiceTurn, to setup: Setup) { turns[setup, default: []].append(turn) }

  var markdown: String {
    var lines = [
      "### \(service.about)", "",
      "| | requests/s | ratio | p50 us | p99 us | CPU us per request: leader | ratio | each follower | ratio | mfr-run itself |",
      "|---|---|---|---|---|---|---|---|---|---|",
    ]
    let native = turns[.native] ?? []
    for setup in setups {
      let own = turns[setup] ?? []
      func column(_ value: (ServiceTurn) -> Double, _ decimals: Int) -> String { spread(own.map(value), decimals) }
      func ratio(_ value: (ServiceTurn) -> Double) -> String {
        setup == .native ? "1" : spread(ratios(own.map(value), to: native.map(value)), 2)
      }
      let followers = own.flatMap(\.followers)
      let followerRatios = zip(own, native).flatMap { turn, base in turn.followers.map { $0 / base.leader } }
      let cells = [
        setup.name, column(\.rate, 0), ratio(\.rate), column(\.p50, 0), column(\.p99, 0), column(\.leader, 2),
        ratio(\.leader), spread(followers, 2), spread(followerRatios, 2),
        setup == .native ? "-" : column(\.ours, 2),
      ]
      lines.append("| " + cells.joined(separator: " | ") + " |")
    }
    let moved = setups.flatMap { turns[$0] ?? [] }.filter(\.moved).count
    if moved > 0 {
      lines += ["", "In \(moved) turns another replica took the lead: their leader and follower times are mixed."]
    }
    return lines.joined(separator: "\n") + "\n"
  }

  var json: JSON { .object(setups.map { .init($0.key, .array((turns[$0] ?? []).map(\.json))) }) }
}
