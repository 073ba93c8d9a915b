// swift-tools-version: 6.1
import PackageDescription

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
    // CShim/ABI is the contract: Swift imports it, the shim includes its headers; abi.c and host.c are the Swift
    // side's Linux calls. CShim/Preload is the shim itself, which Swift never imports: the plugin makes
    // libmfrshim.so of it with clang alone.
    .target(name: "CMFRABI", path: "CShim/ABI"),
    .plugin(name: "BuildShim", capability: .buildTool()),

    .target(name: "MFRCore"),
    .target(name: "MFRControl"),
    .target(name: "MFRRuntime", dependencies: ["CMFRABI", "MFRCore", "MFRControl"], plugins: ["BuildShim"]),
    .executableTarget(name: "mfr-run", dependencies: ["CMFRABI", "MFRCore", "MFRControl", "MFRRuntime"]),
    .executableTarget(name: "mfr-ctl", dependencies: ["CMFRABI", "MFRControl", argumentParser]),

    .testTarget(name: "MFRCoreTests", dependencies: ["MFRCore", "MFRControl"]),
    .testTarget(name: "MFRRuntimeTests", dependencies: ["CMFRABI", "MFRCore", "MFRControl", "MFRRuntime"]),
    .testTarget(name: "ShimContractTests", dependencies: ["CMFRABI", "MFRControl", "mfr-ctl"]),
    .testTarget(name: "ReplicationTests", dependencies: ["MFRControl", "MFRHarness", "mfr-run", "mfr-ctl"]),

    // The tools that load and break servers from outside, as a user would.
    .systemLibrary(name: "CLinux", path: "Tests/CLinux"),
    .target(name: "MFRHarness", dependencies: ["CLinux", "MFRControl"], path: "Tests/Harness"),
    .executableTarget(name: "mfr-load", dependencies: ["CLinux", "MFRHarness", argumentParser], path: "Tests/Load"),
    .executableTarget(
      name: "mfr-campaign", dependencies: ["CLinux", "MFRHarness", argumentParser], path: "Tests/Campaign",
      exclude: ["guests"]),
    .executableTarget(
      name: "mfr-machine-check", dependencies: ["CMFRABI", "MFRControl", "MFRHarness", argumentParser],
      path: "Tests/MachineCheck", exclude: ["inside.c", "init"]),
  ],
  swiftLanguageModes: [.v6]
)
