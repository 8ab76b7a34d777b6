// Entry of the tests' build only: the same sources, with what the published package does not let anybody choose.

export { open } from "./decrypt.ts";
export { seal } from "./encrypt.ts";
export * from "./index.ts";
export { openStream, sealStream } from "./streams.ts";
export { memoryOf, withBindings } from "./wasm.ts";
export { Watch } from "./watch.ts";
