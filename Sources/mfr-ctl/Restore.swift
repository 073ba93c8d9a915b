import ArgumentParser
import MFRControl

struct Restore: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes missing duplicates again, now.",
    discussion: "After --respawn-limit has stopped it, or while it waits after a failure.")
  @Argument(help: "Name or pid of a program.") var program: String

  func run() throws {
    let set = try Client.find(program)
    _ = try Client.ask(set.pid, .restore)
    print("\(set.program) (pid \(set.pid)): duplicates are made up to level \(set.level)")
  }
}
