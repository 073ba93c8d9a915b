import ArgumentParser
import MFRControl

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows how protected programs are, and their replicas.")
  @Argument(help: "Name or pid of a program; without it, all are shown.") var program: String?
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let sets = try program.map { [try Client.find($0)] } ?? Client.sets()
    if json {
      print(document(sets))
      return
    }
    if sets.isEmpty { print("Nothing runs under mfr-run.") }
    for (index, set) in sets.enumerated() {
      if index > 0 { print("") }
      show(set)
    }
  }

  private func show(_ set: SetStatus) {
    print("\(set.program)\(set.name.isEmpty ? "" : " (\(set.name))"), pid \(set.pid)")
    print("  level \(set.level): \(set.state)\(set.reason.isEmpty ? "" : " - \(set.reason)")")
    print(
      "  \(set.calls) calls, \(set.failovers) failovers, \(set.respawns) respawns, \(set.divergences) divergences,"
        + " \(set.bids) bids")
    var table = Table(["  REPLICA", "PID", "ROLE", "SEQUENCE", "LAG", "MEMORY"], right: [0, 1, 3, 4])
    for replica in set.replicas {
      table.add([
        "  \(replica.index)", String(replica.pid), replica.role, String(replica.sequence), String(replica.lag),
        replica.unshared ? "own" : "shared",
      ])
    }
    print(table.text)
  }
}
