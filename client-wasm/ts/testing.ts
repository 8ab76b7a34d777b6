// Entry of the tests' build only: the same sources, with what the published package does not let anybody choose.

export { open, openStream } from "./decrypt.ts";
export { seal } from "./encrypt.ts";
export * from "./index.ts";
export { openAuthRequest, openBiometricBlock, sealAuthRequest, sealBiometricBlock } from "./layouts/auth.ts";
export { openContainer, sealContainer } from "./layouts/container.ts";
export { openForMachine, sealForMachine } from "./layouts/machine.ts";
export { openWithPin, sealWithPin } from "./layouts/pin.ts";
export * from "./layouts.ts";
export { sealStream } from "./streams.ts";
export { memoryOf, withBindings } from "./wasm.ts";
export { Watch } from "./watch.ts";
