import Glibc
import MFRControl
import MFRHarness

/// Nanoseconds per call of a guest that does nothing else.
struct CallTable {
  private struct Cost {
    /// As the guest's clock saw it.
    var clock: [Double] = []
    /// CPU time of the leader; robust when the machine does other things as well.
    var leader: [Double] = []
    var followers: [Double] = []
  }
  private static let calls: [(name: String, about: String, times: Int)] = [
    ("clock_gettime", "clock_gettime", 400_000), ("read-1", "read 1 B from /dev/zero", 200_000),
    ("read-16k", "read 16 KB from /dev/zero", 60_000), ("write-64", "write 64 B to /dev/null", 200_000),
    ("write-16k", "write 16 KB to /dev/null", 60_000), ("trapped", "getppid by an instruction of its own", 60_000),
  ]

  let setups: [Setup]
  private var costs: [String: [Setup: Cost]] = [:]

  init(setups: [Setup]) { self.setups = setups }

  /// One run of the guest, each kind of call in turn.
  mutating func measure(_ setup: Setup, program: String, options: [String]) throws {
    let directory = try File.temporaryDirectory("mfr-bench-")
    defer { File.removeTree(directory) }
    var input: [Int32] = [0, 0]
    var output: [Int32] = [0, 0]
    try call("pipe") { pipe(&input) }
    try call("pipe") { pipe(&output) }
    for end in input + output { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { for end in [input[1], output[0]] { close(end) } }
    let guest = try Guest(
      [program], level: setup.level, name: "calls-\(getpid())", directory: directory,
      descriptors: [input[0], output[1], 2], options: options)
    defer { guest.child.stop(SIGKILL) }
    close(input[0])
    close(output[1])
    _ = try answer(to: "nothing 1", input[1], output[0], guest)
    try guest.waitUntilWhole()
    for each in Self.calls {
      var time = 0.0
      let use = try CPUUse(of: guest) {
        time = try answer(to: "\(each.name) \(each.times)", input[1], output[0], guest)
      }
      // The guest makes a tenth more calls, to warm up.
      let made = Double(each.times) * 1.1
      costs[each.name, default: [:]][setup, default: Cost()].clock.append(time)
      costs[each.name, default: [:]][setup, default: Cost()].leader.append(Double(use.leader.nanoseconds) / made)
      let followers = use.followers.map { Double($0.nanoseconds) / made }
      costs[each.name, default: [:]][setup, default: Cost()].followers += followers
    }
  }

  private func answer(to line: String, _ input: Int32, _ output: Int32, _ guest: Guest) throws -> Double {
    try File.writeAll(input, Array((line + "\n").utf8), what: "calls")
    var text: [UInt8] = []
    var byte: UInt8 = 0
    while true {
      var event = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard try call("poll", { poll(&event, 1, 60_000) }) > 0 else {
        throw Failure("\(guest.name): no answer to '\(line)'")
      }
      guard try call("read", { read(output, &byte, 1) }) == 1 else { throw Failure("\(guest.name) ended") }
      if byte == 0x0A { break }
      text.append(byte)
    }
    guard let value = Double(String(decoding: text, as: UTF8.self)) else { throw Failure("calls: '\(text)'") }
    return value
  }

  var markdown: String {
    let cpu = table(
      setups.flatMap { ($0.level ?? 0) > 0 ? ["\($0.name): leader", "each follower"] : [$0.name] }
    ) { setup, cost in
      (setup.level ?? 0) > 0 ? [spread(cost.leader, 0), spread(cost.followers, 0)] : [spread(cost.leader, 0)]
    }
    let clock = table(setups.map(\.name)) { _, cost in [spread(cost.clock, 0)] }
    return
      "### Single calls, CPU nanoseconds\n\n\(cpu)\n### Single calls, nanoseconds that pass for the program\n\n\(clock)"
  }

  private func table(_ heads: [String], _ cells: (Setup, Cost) -> [String]) -> String {
    var lines = ["| | \(heads.joined(separator: " | ")) |", "|---|" + heads.map { _ in "---|" }.joined()]
    for each in Self.calls {
      let row = setups.flatMap { cells($0, costs[each.name]?[$0] ?? Cost()) }
      lines.append("| \(each.about) | \(row.joined(separator: " | ")) |")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  var json: JSON {
    .object(
      Self.calls.map { each in
        .init(
          each.name,
          .object(
            setups.map { setup in
              let cost = costs[each.name]?[setup] ?? Cost()
              return .init(
                setup.key,
                .object([
                  .init("clock_ns", .array(cost.clock.map(JSON.number))),
                  .init("leader_cpu_ns", .array(cost.leader.map(JSON.number))),
                  .init("follower_cpu_ns", .array(cost.followers.map(JSON.number))),
                ]))
            }))
      })
  }
}
