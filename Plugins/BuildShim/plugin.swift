import Foundation
import PackagePlugin

/// Builds `libmfrshim.so`, the library that is preloaded into every replica, with clang alone.
///
/// SwiftPM's own way to a C library would make it depend on the Swift run-time libraries, in every guest.
/// One command compiles, links and writes `ShimLocation.swift`, which tells `mfr-run` where the result
/// lies; the library itself is no declared output, as SwiftPM would take it for a resource.
@main
struct BuildShim: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
    let root = context.package.directoryURL
    let work = context.pluginWorkDirectoryURL
    let script = root.appending(path: "Scripts/build-shim")
    let location = work.appending(path: "ShimLocation.swift")
    let inputs =
      files(below: root.appending(path: "CShim/Preload"))
      + files(below: root.appending(path: "CShim/ABI/include"))
    return [
      .buildCommand(
        displayName: "Building libmfrshim.so",
        executable: script,
        arguments: [root.path, work.path],
        inputFiles: [script] + inputs,
        outputFiles: [location])
    ]
  }

  private func files(below folder: URL) -> [URL] {
    let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    let found = walk?.compactMap { $0 as? URL } ?? []
    return found.filter { ["c", "h", "S", "def", "map"].contains($0.pathExtension) }
      .sorted { $0.path < $1.path }
  }
}
