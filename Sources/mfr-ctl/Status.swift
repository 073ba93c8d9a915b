import ArgumentParser
import MFRControl

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows how protected programs are, and their replicas.")
  @Argument(help: "Name or pid of a program; without it, all are shown.") var program: String?
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let tree = Tree(try Client.sets())
    let chosen = try program.map { [try Client.find($0)] }
    if json {
      print(document(tree, chosen))
      return
    }
    if let chosen {
      for set in chosen { show(set, "") }
      return
    }
    if tree.sets.isEmpty { print("Nothing runs under mfr-run.") }
    for (index, set) in tree.sets.filter({ tree.parent(of: $0.pid) == nil }).enumerated() {
      if index > 0 { print("") }
      show(set, "")
      showChildren(of: set.pid, tree, "    ")
    }
  }

  private func showChildren(of pid: Int32, _ tree: Tree, _ indent: String) {
    let (sets, processes) = tree.children(of: pid)
    for set in sets {
      show(set, indent)
      showChildren(of: set.pid, tree, indent + "    ")
    }
    for process in processes {
      print("\(indent)\(process.program), pid \(process.pid)")
      print("\(indent)  unprotected - \(process.reason)")
      showChildren(of: process.pid, tree, indent + "    ")
    }
  }

  private func show(_ set: SetStatus, _ indent: String) {
    var lines = ["\(set.program)\(set.name.isEmpty ? "" : " (\(set.name))"), pid \(set.pid)"]
    lines.append("  level \(set.level): \(set.state)\(set.reason.isEmpty ? "" : " - \(set.reason)")")
    lines.append(
      "  \(set.calls) calls, \(set.failovers) failovers, \(set.lost) lost, \(set.respawns) respawns, "
        + "\(set.divergences) divergences, \(set.bids) bids")
    if !set.trouble.isEmpty { lines.append("  \(set.trouble)") }
    var table = Table(["  REPLICA", "PID", "ROLE", "SEQUENCE", "LAG", "MEMORY"], right: [0, 1, 3, 4])
    for replica in set.replicas {
      table.add([
        "  \(replica.index)", String(replica.pid), replica.role, String(replica.sequence), String(replica.lag),
        replica.unshared ? "own" : "shared",
      ])
    }
    lines += table.text.split(separator: "\n").map(String.init)
    for line in lines { print(indent + line) }
  }
}
