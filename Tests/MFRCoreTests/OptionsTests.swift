import MFRCore
import Testing

@Suite("Options of mfr-run")
struct OptionsTests {
  private func parse(_ arguments: [String], _ environment: [String: String] = [:]) throws -> RunOptions {
    guard case .run(let options) = try RunOptions.parse(arguments, environment: { environment[$0] }) else {
      Issue.record("not a program to run: \(arguments)")
      return RunOptions()
    }
    return options
  }

  @Test("Options end at the program; its own are not read")
  func programsOwn() throws {
    let options = try parse(["--level", "1", "ls", "--level", "9", "-v"])
    #expect(options.level == 1)
    #expect(options.program == ["ls", "--level", "9", "-v"])
    #expect(!options.verbose)
  }

  @Test("Two dashes end the options")
  func dashes() throws {
    #expect(try parse(["-v", "--", "--odd", "--"]).program == ["--odd", "--"])
  }

  @Test("The command line wins over the environment, which wins over the default")
  func precedence() throws {
    #expect(try parse(["x"]).level == 2)
    #expect(try parse(["x"], ["MFR_LEVEL": "3"]).level == 3)
    #expect(try parse(["--level=4", "x"], ["MFR_LEVEL": "3"]).level == 4)
  }

  @Test(
    "What cannot be understood is refused",
    arguments: [
      ["--level", "16", "x"], ["--level", "-1", "x"], ["--level"], ["--sync", "now", "x"], ["--odd", "x"], [],
      ["--hang-after", "-1", "x"], ["--hang-after", "soon", "x"], ["--respawn-limit", "10", "x"],
      ["--respawn-limit", "0/10", "x"], ["--respawn-limit", "10/0", "x"], ["--respawn-limit", "1/2/3", "x"],
    ])
  func refused(arguments: [String]) {
    #expect(throws: RunOptions.Invalid.self) { try parse(arguments) }
  }

  @Test("A variable that cannot be understood is refused by its name")
  func refusedVariable() {
    let error = #expect(throws: RunOptions.Invalid.self) { try parse(["x"], ["MFR_SYNC": "now"]) }
    #expect(error?.description.contains("MFR_SYNC") == true)
  }

  @Test("Limits survive the way to the coordinator")
  func limits() throws {
    var limits = try parse(["--hang-after", "2.5", "x"], ["MFR_RESPAWN_LIMIT": "7/60"]).limits
    #expect(limits.hangAfter == .milliseconds(2500))
    #expect(limits.respawns == Limits.Rate(count: 7, window: .seconds(60)))
    #expect(try parse(["x"], ["MFR_HANG_AFTER": "0"]).limits.hangAfter == nil)
    #expect(try parse(["--respawn-limit", "0", "x"]).limits.respawns == nil)
    let sent = limits
    limits = Limits()
    #expect(limits.setHangAfter(sent.hangAfterArgument) && limits.setRespawns(sent.respawnsArgument))
    #expect(limits == sent)
  }

  @Test("auto is idle when the replicas need more than all cores but one")
  func sync() {
    #expect(SyncPolicy(method: .auto, level: 2, cores: 2).idle)
    #expect(!SyncPolicy(method: .auto, level: 2, cores: 4).idle)
    #expect(SyncPolicy(method: .auto, level: 3, cores: 4).idle)
    #expect(!SyncPolicy(method: .eager, level: 15, cores: 1).idle)
    #expect(SyncPolicy(method: .idle, level: 0, cores: 64).idle)
  }
}
