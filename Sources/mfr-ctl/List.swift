import ArgumentParser
import MFRControl

struct List: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists the programs that run under mfr-run.")
  @Flag(help: "Print JSON, as `status` does.") var json = false

  func run() throws {
    let sets = try Client.sets()
    if json {
      print(document(Tree(sets), nil))
      return
    }
    var table = Table(["PID", "NAME", "LEVEL", "REPLICAS", "STATE", "PROGRAM"], right: [0, 2, 3])
    for set in sets {
      table.add([
        String(set.pid), set.name.isEmpty ? "-" : set.name, String(set.level), String(set.replicas.count), set.state,
        set.program,
      ])
    }
    print(sets.isEmpty ? "Nothing runs under mfr-run." : table.text)
  }
}
