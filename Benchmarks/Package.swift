// swift-tools-version: 6.1
import PackageDescription

// Measures MFR from outside, like a user: it needs the built tools, not their sources. Folders below
// Sources that are links belong to the main package.
let package = Package(
  name: "mfr-benchmarks",
  dependencies: [.package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")],
  targets: [
    .systemLibrary(name: "CLinux"),
    .target(name: "MFRControl"),
    .target(name: "MFRHarness", dependencies: ["CLinux", "MFRControl"]),
    .executableTarget(
      name: "mfr-bench",
      dependencies: ["MFRHarness", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
  ],
  swiftLanguageModes: [.v6]
)
