import Foundation
import Glibc
import MFRHarness

/// Another user than root, by default one that nobody is, with the tools where it can read them.
final class Stranger {
  let id: UInt32
  let directory: String
  let runtime: String
  var counter: String { directory + "/counter" }
  var tool: String { directory + "/mfr-run" }

  init?(id: UInt32 = 54321) async throws {
    guard geteuid() == 0, Tool.find("setpriv") != nil else { return nil }
    self.id = id
    let source = Repository.root.appendingPathComponent("Tests/Support/counter.c")
    let built = Repository.build.appendingPathComponent("counter")
    try await Builder.compile(source, to: built)
    directory = try File.temporaryDirectory("mfr-stranger-")
    runtime = directory + "/run"
    chmod(directory, 0o777)
    // Any way to the build may be closed to others.
    for (name, path) in [
      ("mfr-run", try Tools.path("mfr-run")), ("mfr-ctl", try Tools.path("mfr-ctl")), ("counter", built.path),
      ("libmfrshim.so", try Self.shim()),
    ] {
      try FileManager.default.copyItem(atPath: path, toPath: directory + "/" + name)
      chmod(directory + "/" + name, 0o755)
    }
    mkdir(runtime, 0o700)
    chown(runtime, id, id)
  }
  deinit { File.removeTree(directory) }

  /// The library that a program run by these tools has loaded.
  private static func shim() throws -> String {
    let (_, out, _) = try output(of: [try Tools.path("mfr-run"), "/bin/cat", "/proc/self/maps"])
    guard let line = out.split(separator: "\n").first(where: { $0.contains("libmfrshim.so") }),
      let start = line.firstIndex(of: "/")
    else { throw Failure("no libmfrshim.so in \(out)") }
    return String(line[start...])
  }

  /// `processes`: how many of its user there may be.
  func prefix(_ processes: Int? = nil) -> [String] {
    ["setpriv", "--reuid", "\(id)", "--regid", "\(id)", "--clear-groups"]
      + (processes.map { ["prlimit", "--nproc=\($0):100"] } ?? [])
  }

  func start(_ processes: Int? = nil) throws -> MFRHarness.Guest {
    try MFRHarness.Guest(
      [counter], level: 2, name: "stranger", directory: directory, prefix: prefix(processes), tool: tool,
      runtime: runtime)
  }
}
