import ArgumentParser

@main
struct MFRCampaign: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mfr-campaign",
    abstract: "Breaks replicas of running programs and checks that nobody outside can tell.",
    subcommands: [Servers.self, ExactlyOnce.self])
}
