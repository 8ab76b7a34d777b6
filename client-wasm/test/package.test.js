// What `npm pack` would publish.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { pkg, root, version } from "../scripts/paths.js";

const manifest = JSON.parse(readFileSync(join(pkg, "package.json"), "utf8"));
const text = (name) => readFileSync(join(pkg, name), "utf8");

test("the package holds these files and no others", () => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: pkg });
  const listing = JSON.parse(output);
  const [{ files }] = Array.isArray(listing) ? listing : Object.values(listing);
  const names = new Set(files.map(({ path }) => path.replace(/^shared-\w+\.js$/, "shared.js")));
  assert.deepEqual([...names].sort(), [
    "API.md",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "browser.js",
    "form-node.cjs",
    "form-node.mjs",
    "form.d.cts",
    "form.d.ts",
    "form.js",
    "index.d.cts",
    "index.d.ts",
    "inline-node.cjs",
    "inline-node.mjs",
    "inline.cjs",
    "inline.d.cts",
    "inline.d.ts",
    "inline.js",
    "jws-node.cjs",
    "jws-node.mjs",
    "jws.d.cts",
    "jws.d.ts",
    "jws.js",
    "kunji-worker.js",
    "kunji.cjs",
    "kunji.wasm",
    "layouts-node.cjs",
    "layouts-node.mjs",
    "layouts.d.cts",
    "layouts.d.ts",
    "layouts.js",
    "node.cjs",
    "node.mjs",
    "package.json",
    "queue-node.cjs",
    "queue-node.mjs",
    "queue.d.cts",
    "queue.d.ts",
    "queue.js",
    "recipients-node.cjs",
    "recipients-node.mjs",
    "recipients.d.cts",
    "recipients.d.ts",
    "recipients.js",
    "shared.js",
    "worker-node.cjs",
    "worker-node.mjs",
    "worker.d.cts",
    "worker.d.ts",
    "worker.js",
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

test("types and files are found by every way of resolving them", () => {
  const attw = join(root, "node_modules/.bin/attw");
  // Without `exports` there are only the main entry and its types; what is loaded as a file has none.
  const files = ["kunji.wasm", "kunji-worker.js"];
  const args = ["--pack", pkg, "--profile", "node16", "--format", "json", "--exclude-entrypoints", ...files];
  const { analysis } = JSON.parse(execFileSync(attw, args, { env: { ...process.env, npm_config_offline: "true" } }));
  assert.deepEqual(analysis.problems, []);
  const entries = ["form", "inline", "jws", "layouts", "package.json", "queue", "recipients", "worker"];
  assert.deepEqual(Object.keys(analysis.entrypoints).sort(), [".", ...entries.map((name) => `./${name}`)].sort());
});

test("browsers and workers have the files for them, Node, Deno and Bun those for Node, whatever bundles", async () => {
  const { ".": main } = manifest.exports;
  for (const [conditions, file] of [
    [["browser", "import"], "./browser.js"],
    [["worker", "browser", "import"], "./browser.js"],
    [["node", "import"], "./node.mjs"],
    [["node", "require"], "./node.cjs"],
    [["deno", "node", "import"], "./node.mjs"],
    [["bun", "node", "import"], "./node.mjs"],
  ]) {
    assert.equal(resolved(main, new Set([...conditions, "default"])), file, String(conditions));
  }
});

/** As Node resolves conditional exports: the first that holds. */
function resolved(target, conditions) {
  if (typeof target === "string") return target;
  const found = Object.keys(target).find((name) => conditions.has(name));
  return found && resolved(target[found], conditions);
}

test("changes of this version are told", () => {
  assert.match(text("CHANGELOG.md"), new RegExp(`^## ${version()}$`, "m"));
});

test("the reference of the API has all that the types declare, each with what is said of it", () => {
  const reference = text("API.md");
  const sections = reference.split(/^## `/m).slice(1);
  assert.equal(sections.length, 7);
  for (const section of sections) {
    const entry = section.slice(0, section.indexOf("`"));
    const types = text(`${entry === "@kunji/client" ? "index" : entry.split("/").at(-1)}.d.ts`);
    const declared = [...types.matchAll(/^export (?:function|class|interface|type) (\w+)/gm)].map(([, name]) => name);
    const headings = [...section.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual(headings, [...new Set(declared)], entry);
    const functions = [...types.matchAll(/^export function (\w+)/gm)].map(([, name]) => name);
    for (const name of functions) {
      const heading = section.indexOf(`### ${name}\n\n`);
      const said = section.slice(heading, section.indexOf("```ts", heading)).replace(`### ${name}`, "").trim();
      assert.match(said, /^[A-Z].*\./s, name);
    }
  }
  assert.doesNotMatch(reference.replaceAll(/^```ts\n[\s\S]*?^```$/gm, ""), /\{@|^ ?\* |^@param/m);
});

test("nothing in it evaluates text, names this machine, or is meant for tests", () => {
  for (const name of readdirSync(pkg).filter((name) => /\.[cm]?js$/.test(name))) {
    const source = text(name);
    assert.doesNotMatch(source, /\beval\(|new Function|memoryOf|sourceMappingURL/);
    assert.ok(!source.includes(pkg));
  }
  for (const name of readdirSync(pkg).filter((name) => name.endsWith(".js"))) {
    assert.doesNotMatch(text(name), /require\(|node:|process\./);
  }
  assert.ok(!readFileSync(join(pkg, "kunji.wasm")).includes(".cargo"), "kunji.wasm names a directory");
});

for (const [types, browser, name] of [
  ["index.d.ts", "browser.js", "@kunji/client"],
  ["layouts.d.ts", "layouts.js", "@kunji/client/layouts"],
  ["jws.d.ts", "jws.js", "@kunji/client/jws"],
  ["form.d.ts", "form.js", "@kunji/client/form"],
  ["queue.d.ts", "queue.js", "@kunji/client/queue"],
  ["recipients.d.ts", "recipients.js", "@kunji/client/recipients"],
  ["worker.d.ts", "worker.js", "@kunji/client/worker"],
]) {
  test(`only what is declared is exported: ${name}`, async () => {
    const declared = [...text(types).matchAll(/^export (?:declare )?(?:function|class) (\w+)/gm)];
    const names = declared.map(([, name]) => name).sort();
    assert.deepEqual(Object.keys(await import(name)).sort(), names);
    assert.deepEqual(Object.keys(createRequire(import.meta.url)(name)).sort(), names);
    const exported = /export\{([^{}]*?)\};?\s*$/.exec(text(browser))[1].split(",");
    assert.deepEqual(exported.map((name) => name.split(" as ").at(-1)).sort(), names);
  });
}

test("the entry with everything in it exports everything but the worker, and loads nothing", async () => {
  const names = ["form", "index", "jws", "layouts", "queue", "recipients"].flatMap((name) =>
    [...text(`${name}.d.ts`).matchAll(/^export (?:function|class) (\w+)/gm)].map(([, name]) => name),
  );
  const inline = await import("@kunji/client/inline");
  assert.deepEqual(Object.keys(inline).sort(), names.sort());
  assert.equal(createRequire(import.meta.url)("@kunji/client/inline").KunjiError, inline.KunjiError);
  for (const name of ["inline.js", "inline.cjs"]) {
    assert.doesNotMatch(text(name), /import\(|import\.meta|from"|require\(/);
  }
  const exported = /export\{([^{}]*?)\};?\s*$/.exec(text("inline.js"))[1].split(",");
  assert.deepEqual(exported.map((name) => name.split(" as ").at(-1)).sort(), names);
});

test("it stays small", async () => {
  const { gzipSync } = await import("node:zlib");
  const gzipped = (name) => gzipSync(readFileSync(join(pkg, name)), { level: 9 }).length;
  /** A file and what it loads with itself. */
  const loaded = (name, seen = new Set()) => {
    if (seen.has(name)) return seen;
    seen.add(name);
    for (const [, other] of text(name).matchAll(/(?:import|from)"\.\/([\w-]+\.js)"/g)) loaded(other, seen);
    return seen;
  };
  const sum = (names) => [...names].reduce((total, name) => total + gzipped(name), 0);
  assert.ok(gzipped("kunji.wasm") <= 90 * 1024, `kunji.wasm: ${gzipped("kunji.wasm")} bytes`);
  const main = loaded("browser.js");
  assert.ok(main.size > 1 && sum(main) <= 12_000, `browser.js and what it loads: ${sum(main)} bytes`);
  const more = [...loaded("layouts.js")].filter((name) => !main.has(name));
  assert.ok(sum(more) <= 8_000, `${more}: ${sum(more)} bytes`);
  for (const name of ["form.js", "queue.js", "recipients.js", "worker.js"]) {
    assert.deepEqual([...loaded(name)].sort(), [...main, name].sort());
    assert.ok(gzipped(name) <= 4_000, `${name}: ${gzipped(name)} bytes`);
  }
  // It has everything that encrypts and opens once more.
  assert.deepEqual([...loaded("kunji-worker.js")], ["kunji-worker.js"]);
  assert.ok(gzipped("kunji-worker.js") <= 14_000, `kunji-worker.js: ${gzipped("kunji-worker.js")} bytes`);
});
