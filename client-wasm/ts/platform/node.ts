// Where the module's bytes come from in Node: the file beside this script.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { compileBytes, notLoaded } from "./compile.ts";

declare const __dirname: string;

export async function compileModule(): Promise<WebAssembly.Module> {
  const path = join(__dirname, "kunji.wasm");
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw notLoaded(`${path} could not be read`, cause);
  }
  return await compileBytes(bytes, path);
}
