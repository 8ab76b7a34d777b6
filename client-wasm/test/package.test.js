// What `npm pack` would publish.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { pkg, version } from "../scripts/paths.js";

const manifest = JSON.parse(readFileSync(join(pkg, "package.json"), "utf8"));
const text = (name) => readFileSync(join(pkg, name), "utf8");

test("the package holds these files and no others", () => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: pkg });
  const listing = JSON.parse(output);
  const [{ files }] = Array.isArray(listing) ? listing : Object.values(listing);
  assert.deepEqual(files.map(({ path }) => path).sort(), [
    "LICENSE",
    "README.md",
    "browser.js",
    "index.d.cts",
    "index.d.ts",
    "kunji.wasm",
    "node.cjs",
    "node.mjs",
    "package.json",
  ]);
});

test("the manifest is in order", async () => {
  const { messages } = await publint({ pkgDir: pkg, strict: true, pack: false });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, manifest)),
    [],
  );
  assert.equal(manifest.version, version());
  assert.equal(manifest.sideEffects, false);
  for (const name of ["dependencies", "peerDependencies", "optionalDependencies", "scripts"]) {
    assert.equal(manifest[name], undefined);
  }
});

test("nothing in it evaluates text, names this machine, or is meant for tests", () => {
  for (const name of ["browser.js", "node.cjs", "node.mjs"]) {
    const source = text(name);
    assert.doesNotMatch(source, /\beval\(|new Function|memoryOf|sourceMappingURL/);
    assert.ok(!source.includes(pkg));
  }
  assert.doesNotMatch(text("browser.js"), /require\(|node:|process\./);
  assert.ok(!readFileSync(join(pkg, "kunji.wasm")).includes(".cargo"), "kunji.wasm names a directory");
});

test("only what is declared is exported", async () => {
  const declared = [...text("index.d.ts").matchAll(/^export (?:declare )?(?:function|class) (\w+)/gm)];
  const names = declared.map(([, name]) => name).sort();
  assert.deepEqual(Object.keys(await import("@kunji/client")).sort(), names);
  const exported = /export\{(.*?)\};?\s*$/.exec(text("browser.js"))[1].split(",");
  assert.deepEqual(exported.map((name) => name.split(" as ").at(-1)).sort(), names);
});

test("it stays small", async () => {
  const { gzipSync } = await import("node:zlib");
  const gzipped = (name) => gzipSync(readFileSync(join(pkg, name)), { level: 9 }).length;
  assert.ok(gzipped("kunji.wasm") <= 90_000, `kunji.wasm: ${gzipped("kunji.wasm")} bytes`);
  assert.ok(gzipped("browser.js") <= 12_000, `browser.js: ${gzipped("browser.js")} bytes`);
});
