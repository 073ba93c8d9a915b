// swift-tools-version: 6.1
import Foundation
import PackageDescription

/// A target of a test tool, present only while its folder has sources in it.
func ifPresent(_ path: String, _ targets: Target...) -> [Target] {
  let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(path)
  let files = (try? FileManager.default.contentsOfDirectory(atPath: here.path)) ?? []
  return files.contains { $0.hasSuffix(".swift") || $0.hasSuffix(".modulemap") } ? targets : []
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "mfr",
  products: [
    .executable(name: "mfr-run", targets: ["mfr-run"]),
    .executable(name: "mfr-ctl", targets: ["mfr-ctl"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    // The contract with the shim; its C files are the Swift side's Linux calls. The shim takes the headers only.
    .target(name: "CMFRABI", path: "CShim/ABI"),
    .plugin(name: "BuildShim", capability: .buildTool()),
    .target(name: "MFRCore"),
    .target(name: "MFRControl"),
    .target(
      name: "MFRRuntime", dependencies: ["CMFRABI", "MFRCore", "MFRControl"],
      plugins: ["BuildShim"]),
    .executableTarget(name: "mfr-run", dependencies: ["CMFRABI", "MFRCore", "MFRControl", "MFRRuntime"]),
    .executableTarget(name: "mfr-ctl", dependencies: ["CMFRABI", "MFRControl", argumentParser]),
    .testTarget(name: "MFRCoreTests", dependencies: ["MFRCore", "MFRControl"]),
  ]
    + ifPresent("Tests/CLinux", .systemLibrary(name: "CLinux", path: "Tests/CLinux"))
    + ifPresent(
      "Tests/Harness", .target(name: "MFRHarness", dependencies: ["CLinux", "MFRControl"], path: "Tests/Harness"))
    + ifPresent(
      "Tests/Load",
      .executableTarget(
        name: "mfr-load", dependencies: ["CLinux", "MFRHarness", argumentParser], path: "Tests/Load"))
    + ifPresent(
      "Tests/Campaign",
      .executableTarget(
        name: "mfr-campaign", dependencies: ["CLinux", "MFRHarness", argumentParser],
        path: "Tests/Campaign", exclude: ["guests"]))
    + ifPresent(
      "Tests/ShimContractTests",
      .testTarget(name: "ShimContractTests", dependencies: ["CMFRABI", "MFRControl"]))
    + ifPresent(
      "Tests/ReplicationTests",
      .testTarget(name: "ReplicationTests", dependencies: ["CMFRABI", "MFRControl"])),
  swiftLanguageModes: [.v6]
)
