import Foundation

/// Where things are, from the place of this file.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let guests = root.appendingPathComponent("Tests/Guests")
  static let programs = root.appendingPathComponent("Tests/Programs")
  static let build = root.appendingPathComponent(".build/guests")
  static let fixture = build.appendingPathComponent("fixture")
  static let guestRun = build.appendingPathComponent("guest-run")

  /// One directory per test process; each run has its own in it, kept when the run failed.
  static let runs = FileManager.default.temporaryDirectory
    .appendingPathComponent("mfr-replication-\(ProcessInfo.processInfo.processIdentifier)")

  struct Missing: Error, CustomStringConvertible {
    let description: String
  }

  /// The mfr-run under test: MFR_RUN, or what `swift build` made last.
  static func mfrRun() throws -> String {
    if let path = ProcessInfo.processInfo.environment["MFR_RUN"] { return path }
    let built = ["debug", "release"].map {
      root.appendingPathComponent(".build/\($0)/mfr-run").path
    }
    guard let path = built.first(where: FileManager.default.isExecutableFile) else {
      throw Missing(description: "no mfr-run in .build/debug or .build/release: run 'swift build'")
    }
    return path
  }
}
