// Where the module's bytes come from where no file can be loaded: they stand in this script.

import bytes from "#wasm";
import { compileBytes } from "./compile.ts";

export async function compileModule(): Promise<WebAssembly.Module> {
  return await compileBytes(bytes, "kunji.wasm");
}
