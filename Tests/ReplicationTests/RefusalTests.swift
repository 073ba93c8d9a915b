import Foundation
import Glibc
import MFRHarness
import Testing

/// What `mfr-run` says and how it ends when it is not the guest that ends.
@Suite("mfr-run's own endings")
struct RefusalTests {
  @Test(
    "Wrong usage ends with 64 and one line",
    arguments: [
      [], ["--level", "16", "true"], ["--level"], ["--sync", "never", "true"], ["--no-such-option", "true"],
    ])
  func usage(arguments: [String]) throws {
    try expect(64, arguments)
  }

  @Test(
    "A program that is not there ends with 127 and one line", arguments: ["no-such-program", "/no/such/program", ""])
  func notFound(program: String) throws {
    try expect(127, [program])
  }

  @Test("A program that cannot be executed ends with 126 and one line")
  func notExecutable() throws {
    let directory = try File.temporaryDirectory("mfr-refusal-")
    defer { File.removeTree(directory) }
    try File.write(directory + "/plain", "#!/bin/sh\n")
    try File.write(directory + "/script", "#!\(directory)/plain\n")
    chmod(directory + "/script", 0o755)
    try expect(126, [directory + "/plain"])
    try expect(126, [directory + "/script"])
    try expect(126, [directory])
  }

  @Test("Without its library mfr-run ends with 125 and one line")
  func noShim() throws {
    try expect(125, ["true"], environment: "MFR_SHIM=/no/such/library")
  }

  @Test("Events that cannot be written are told of in one line; the program runs")
  func noEvents() throws {
    let run = try output(of: [try Tools.path("mfr-run"), "--events", "/no/such/folder/events", "echo", "here"])
    #expect(run.ending == .exited(0) && run.out == "here\n")
    #expect(
      run.error
        == "mfr-run: warning: cannot open /no/such/folder/events: No such file or directory; events are lost\n")
  }

  private func expect(_ status: Int32, _ arguments: [String], environment: String = "MFR=") throws {
    let (ending, out, errors) = try output(of: ["env", environment, try Tools.path("mfr-run")] + arguments)
    #expect(ending == .exited(status), "\(arguments): \(ending), \(errors)")
    #expect(out == "")
    #expect(errors.hasPrefix("mfr-run: ") && errors.hasSuffix("\n"), "\(errors)")
    #expect(errors.split(separator: "\n").count == 1, "\(errors)")
  }
}

/// Programs into which nothing can be preloaded.
@Suite("Programs that cannot be protected run all the same")
struct UnprotectedTests {
  @Test("A static program runs, with a warning that says so and why")
  func staticProgram() async throws {
    let program = Repository.build.appendingPathComponent("static").path
    let source = Repository.root.appendingPathComponent("Tests/Support/static.c").path
    try FileManager.default.createDirectory(at: Repository.build, withIntermediateDirectories: true)
    let (status, said) = try await Tool.run("/usr/bin/cc", ["-static", "-nostdlib", "-o", program, source])
    try #require(status == 0, "\(said)")
    try expect(program, ends: .exited(7), out: "static\n", warning: "it is statically linked")
    // The same when a script leads to it.
    let directory = try File.temporaryDirectory("mfr-static-")
    defer { File.removeTree(directory) }
    try File.write(directory + "/script", "#!\(program)\n")
    chmod(directory + "/script", 0o755)
    try expect(
      directory + "/script", ends: .exited(7), out: "static\n",
      warning: "its interpreter \(program) is statically linked")
  }

  @Test(
    "A set-user-ID program runs, with a warning that says so and why",
    .enabled(if: getuid() == 0, "only root can make a file that belongs to somebody else"))
  func setUser() throws {
    let directory = try File.temporaryDirectory("mfr-setuid-")
    defer { File.removeTree(directory) }
    try File.write(directory + "/id", try File.read("/usr/bin/id"))
    chmod(directory, 0o755)
    try #require(chown(directory + "/id", 65534, 65534) == 0)
    chmod(directory + "/id", 0o4755)
    let native = try output(of: [directory + "/id", "-u"])
    try expect(directory + "/id", "-u", ends: .exited(0), out: native.out, warning: "it is set-user-ID")
  }

  private func expect(
    _ program: String, _ arguments: String..., ends ending: Ending, out: String, warning: String
  ) throws {
    let run = try output(of: [try Tools.path("mfr-run"), "--level", "2", program] + arguments)
    #expect(run.ending == ending)
    #expect(run.out == out)
    #expect(run.error == "mfr-run: warning: \(program) runs unprotected: \(warning)\n")
  }
}
