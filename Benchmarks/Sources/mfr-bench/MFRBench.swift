import ArgumentParser
import Glibc
import MFRControl
import MFRHarness

@main
struct MFRBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mfr-bench",
    abstract: "What protection costs: native and levels side by side, in rounds that take turns.",
    discussion: "Figures are medians over the rounds. A ratio is taken within a round, to the native run of that round."
  )

  @Option(help: "Rounds; in each one every configuration has its turn.")
  var rounds = 5
  @Option(help: "Seconds of load per turn.")
  var seconds = 3.0
  @Option(help: "Servers to measure. May be repeated; 'none' leaves them out.")
  var service: [String] = ["lighttpd-1k", "nginx", "beanstalkd", "redis", "redis-16", "memcached-4"]
  @Option(help: "Levels besides native. May be repeated.")
  var level: [Int] = [0, 1, 2]
  @Option(help: "Connections of the load.")
  var connections = 16
  @Option(help: "Program that makes single calls (Benchmarks/guests/calls.c); none leaves them out.")
  var calls: String?
  @Option(help: "More options for mfr-run, separated by spaces.")
  var options = ""
  @Option(help: "Also write all figures to this file, as JSON.")
  var json: String?

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    guard (1...100).contains(rounds), seconds > 0, seconds <= 600 else { throw ValidationError("--rounds, --seconds") }
    let setups = [Setup.native] + level.map(Setup.level)
    let extra = options.split(separator: " ").map(String.init)
    var results: [JSON.Member] = []

    say("\(onlineCores()) cores, \(rounds) rounds. median (least to greatest over the rounds)\n")
    for name in service where name != "none" {
      let service = try Service.named(name)
      var table = ServiceTable(service: service, setups: setups)
      for round in 0..<rounds {
        // Each round begins with another one, so that no configuration always comes after the same.
        for index in setups.indices {
          let setup = setups[(index + round) % setups.count]
          let turn = try ServiceTurn.run(
            service, setup, seconds: seconds, connections: connections, options: extra)
          complain(
            "round \(round + 1) \(name) \(setup.name): \(Int(turn.rate)) requests/s, leader \(fixed(turn.leader, 2)) us"
          )
          table.add(turn, to: setup)
        }
      }
      say(table.markdown)
      results.append(.init(name, table.json))
    }
    if let calls {
      var table = CallTable(setups: setups)
      for round in 0..<rounds {
        for index in setups.indices {
          let setup = setups[(index + round) % setups.count]
          try table.measure(setup, program: calls, options: extra)
          complain("round \(round + 1) calls \(setup.name)")
        }
      }
      say(table.markdown)
      results.append(.init("calls", table.json))
    }
    if let json {
      let all = JSON.object([
        .init("cores", JSON(onlineCores())), .init("rounds", JSON(rounds)), .init("results", .object(results)),
      ])
      try File.write(json, all.text + "\n")
    }
  }

  private func onlineCores() -> Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }
}

/// A way to run the program under test.
enum Setup: Hashable {
  case native
  case level(Int)

  var level: Int? { if case .level(let level) = self { level } else { nil } }
  var name: String { level.map { "level \($0)" } ?? "native" }
  var key: String { level.map { "level_\($0)" } ?? "native" }
}

func median(_ values: [Double]) -> Double? {
  guard !values.isEmpty else { return nil }
  let sorted = values.sorted()
  return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}

/// Median with its spread.
func spread(_ values: [Double], _ decimals: Int) -> String {
  guard let middle = median(values), let least = values.min(), let most = values.max() else { return "-" }
  if values.count == 1 { return fixed(middle, decimals) }
  return "\(fixed(middle, decimals)) (\(fixed(least, decimals)) to \(fixed(most, decimals)))"
}

/// Value by value, in the order of the rounds.
func ratios(_ values: [Double], to base: [Double]) -> [Double] {
  zip(values, base).compactMap { $1 > 0 ? $0 / $1 : nil }
}

/// The processes of one running guest, by their part in it.
struct Processes {
  var leader: pid_t
  var followers: [pid_t]
  var ours: [pid_t]
  var failovers: UInt64

  /// Waits until no follower is behind, so that all have done the same work.
  init(_ guest: Guest) throws {
    guard guest.level != nil else {
      self.init(leader: guest.child.pid, followers: [], ours: [], failovers: 0)
      return
    }
    var status = try guest.status()
    _ = try wait(upTo: .seconds(5)) {
      status = try guest.status()
      return status.replicas.allSatisfy { $0.lag == 0 }
    }
    let pids = status.replicas.map(\.pid)
    let leader = status.leader?.pid ?? pids.first ?? guest.child.pid
    let children = (try? File.text("/proc/\(guest.child.pid)/task/\(guest.child.pid)/children")) ?? ""
    let others = children.split(separator: " ").compactMap { pid_t($0) }.filter { !pids.contains($0) }
    self.init(
      leader: leader, followers: pids.filter { $0 != leader }, ours: [guest.child.pid] + others,
      failovers: status.failovers)
  }

  private init(leader: pid_t, followers: [pid_t], ours: [pid_t], failovers: UInt64) {
    self.leader = leader
    self.followers = followers
    self.ours = ours
    self.failovers = failovers
  }

  var times: [pid_t: Duration] {
    var times: [pid_t: Duration] = [:]
    for pid in [leader] + followers + ours { times[pid] = Guest.cpuTime(of: pid) }
    return times
  }
}

/// CPU time that the processes of a guest took between two moments.
struct CPUUse {
  let leader: Duration
  let followers: [Duration]
  let ours: Duration
  /// The leader was another one at the end: the parts are then mixed.
  let moved: Bool

  init(of guest: Guest, during work: () throws -> Void) throws {
    let before = try Processes(guest)
    let timesBefore = before.times
    try work()
    let after = try Processes(guest)
    let timesAfter = after.times
    func used(_ pid: pid_t) -> Duration { (timesAfter[pid] ?? .zero) - (timesBefore[pid] ?? .zero) }
    leader = used(after.leader)
    followers = after.followers.map(used)
    ours = after.ours.map(used).reduce(.zero, +)
    moved = before.leader != after.leader || before.failovers != after.failovers
  }
}
