import ArgumentParser

@main
struct MfrCtl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mfr-ctl", abstract: "Shows and steers programs that run under mfr-run.", version: "0.1.0",
    subcommands: [
      List.self, Status.self, SetLevel.self, Failover.self, Restore.self, Inject.self, Campaign.self, Calls.self,
    ])
}
