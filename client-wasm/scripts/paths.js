// Where things are built. What takes long to make stays under the target directory, which outlives checkouts.

import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** client-wasm. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const checkout = dirname(root);
const build = join(resolve(checkout, process.env.CARGO_TARGET_DIR ?? "target"), "client-wasm");
/** `kunji_bg.wasm` and `kunji_bg.js`. */
export const glue = join(build, "glue");
/** The same sources with another entry, for the tests. */
export const testing = join(build, "testing");
/** The package, ready for `npm pack`. */
export const pkg = join(root, "pkg");

/** The version of the workspace. */
export function version() {
  const manifest = readFileSync(join(checkout, "Cargo.toml"), "utf8");
  const found = /^\[workspace\.package\]\nversion = "([^"]+)"$/m.exec(manifest);
  if (!found) throw new Error("Cargo.toml names no version");
  return found[1];
}
