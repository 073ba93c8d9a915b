import Foundation

/// Compiles what the tests run, once, into .build/guests.
enum Builder {
  private static let built = Once<String, Void>()
  private static let compilers = Slots(2)

  /// guest-run, which all runs need.
  static func prepare() async throws {
    try await compile(
      Repository.root.appendingPathComponent("Tests/Support/guest-run.c"), to: Repository.guestRun)
  }

  /// The files that the real programs work on.
  static func makeFixture() async throws {
    try await built.get("fixture") {
      try FileManager.default.createDirectory(
        at: Repository.build, withIntermediateDirectories: true)
      let (status, said) = try await Tool.run(
        Repository.programs.appendingPathComponent("make-fixture").path, [Repository.fixture.path])
      guard status == 0 else { throw Tool.Failure(description: "make-fixture: \(said)") }
    }
  }

  /// Path of a program of Tests/Support, compiled.
  static func support(_ name: String) async throws -> String {
    let program = Repository.build.appendingPathComponent(name)
    try await compile(Repository.root.appendingPathComponent("Tests/Support/\(name).c"), to: program)
    return program.path
  }

  /// `more`: words for the compiler, at the end.
  static func compile(_ source: URL, to executable: URL, _ more: [String] = []) async throws {
    try await built.get(executable.path) {
      let sources = [source] + ["guest.h", "thread.h"].map(Repository.guests.appendingPathComponent)
      if let made = date(executable), let last = sources.compactMap(date).max(), made > last { return }
      try FileManager.default.createDirectory(
        at: Repository.build, withIntermediateDirectories: true)
      // Under another name first: two test processes may do this at the same time.
      let fresh = executable.path + ".\(ProcessInfo.processInfo.processIdentifier)"
      var command = ["-O1", "-Wall", "-Wextra", "-Werror", "-pthread"]
      let compiler: String?
      switch source.pathExtension {
      case "rs":
        compiler = Tool.find("rustc")
        command = ["--edition", "2021", "-O", "--crate-name", "guest"]
      case "cc": compiler = Tool.find("c++") ?? Tool.find("clang++")
      default: compiler = Tool.find("cc") ?? Tool.find("clang")
      }
      let arguments = command + ["-o", fresh, source.path] + more
      let (status, said) = try await compilers.use {
        try await Tool.run(compiler ?? "cc", arguments)
      }
      guard status == 0, rename(fresh, executable.path) == 0 else {
        throw Tool.Failure(description: "\(source.lastPathComponent) does not compile:\n\(said)")
      }
    }
  }

  private static func date(_ url: URL) -> Date? {
    try? FileManager.default.attributesOfItem(atPath: url.path)[.modificationDate] as? Date
  }
}
