// Makes the npm package out of the TypeScript and what wasm-bindgen wrote: bundles, types, manifest.

import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { glueFactory } from "./glue.js";
import { checkout, glue, pkg, root, testing, version } from "./paths.js";
import { referenceOf } from "./reference.js";

const WASM = "kunji.wasm";
/** What `worker` starts: a file of its own, that loads nothing but the WebAssembly beside it. */
const WORKER = "kunji-worker.js";

/** What can be imported: the name behind that of the package, its source, its file for browsers and for Node. */
const ENTRIES = [
  { path: ".", name: "index", browser: "browser", node: "node" },
  { path: "./jws", name: "jws", browser: "jws", node: "jws-node" },
  { path: "./layouts", name: "layouts", browser: "layouts", node: "layouts-node" },
];

const INLINE = { path: "./inline", name: "inline", browser: "inline", node: "inline-node" };

/** What is built on the first of them, as its users would: nothing of it is loaded with that. */
const ADDITIONS = ["form", "queue", "recipients", "worker"].map((name) => ({
  path: `./${name}`,
  name,
  browser: name,
  node: `${name}-node`,
}));

await bundle(pkg, Object.fromEntries(ENTRIES.map(({ name, browser }) => [browser, `${name}.ts`])), {
  kunji: "node.ts",
});
await bundleAdditions();
await bundleWorker();
await bundleInline();
await bundle(testing, { browser: "testing.ts" }, { node: "testing.ts" });
writePackage();
linkPackage();

function optionsFor(directory) {
  return {
    bundle: true,
    target: "es2022",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    plugins: [glueFactory],
    logLevel: "warning",
    outdir: directory,
  };
}

function alias(platform) {
  return {
    "#client": join(root, "ts/index.ts"),
    "#glue": join(glue, "kunji_bg.js"),
    "#host": join(root, "ts/host.ts"),
    "#platform": join(root, `ts/platform/${platform}.ts`),
    "#wasm": join(glue, "kunji_bg.wasm"),
  };
}

/** Files for browsers, with what they share in another; one for Node; and the WebAssembly beside them. */
async function bundle(directory, browserEntries, nodeEntries) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const sources = (entries) =>
    Object.fromEntries(Object.entries(entries).map(([name, source]) => [name, join(root, "ts", source)]));
  const common = optionsFor(directory);
  await build({
    ...common,
    entryPoints: sources(browserEntries),
    format: "esm",
    platform: "browser",
    splitting: true,
    chunkNames: "shared-[hash]",
    // A sixth of what is sent. In Node names stay, so that a stack trace says something.
    minifyIdentifiers: true,
    alias: alias("browser"),
  });
  await build({
    ...common,
    entryPoints: sources(nodeEntries),
    format: "cjs",
    platform: "node",
    outExtension: { ".js": ".cjs" },
    alias: alias("node"),
  });
  cpSync(join(glue, "kunji_bg.wasm"), join(directory, WASM));
}

async function bundleAdditions() {
  await build({
    ...optionsFor(pkg),
    entryPoints: ADDITIONS.map(({ name }) => join(root, `ts/${name}.ts`)),
    format: "esm",
    platform: "browser",
    minifyIdentifiers: true,
    plugins: [
      {
        name: "client",
        setup: ({ onResolve }) => onResolve({ filter: /^#client$/ }, () => ({ path: "./browser.js", external: true })),
      },
    ],
  });
}

async function bundleWorker() {
  await build({
    ...optionsFor(pkg),
    entryPoints: { [WORKER.replace(/\.js$/, "")]: join(root, "ts/worker/worker.ts") },
    format: "esm",
    platform: "browser",
    minifyIdentifiers: true,
    alias: alias("browser"),
  });
}

/** Everything in one file, WebAssembly included, for browsers and for Node. */
async function bundleInline() {
  for (const [format, extension, minifyIdentifiers] of [
    ["esm", ".js", true],
    ["cjs", ".cjs", false],
  ]) {
    await build({
      ...optionsFor(pkg),
      entryPoints: { inline: join(root, "ts/all.ts") },
      format,
      platform: "neutral",
      outExtension: { ".js": extension },
      loader: { ".wasm": "binary" },
      minifyIdentifiers,
      alias: alias("inline"),
    });
  }
}

function writePackage() {
  const all = [];
  const reference = [];
  for (const { path, name, node } of [...ENTRIES, ...ADDITIONS]) {
    const types = readFileSync(join(root, `types/${name}.d.ts`), "utf8");
    const names = [...types.matchAll(/^export (?:function|class) (\w+)/gm)].map(([, exported]) => exported);
    const exported = [...new Set(names)].sort();
    writeForNode(node, "kunji.cjs", exported);
    writeTypes(name, types);
    all.push(...exported);
    reference.push({ from: path.replace(".", "@kunji/client"), types });
  }
  writeFileSync(join(pkg, "API.md"), referenceOf(reference));
  // The worker is a file, and that entry is one script.
  const inline = all.filter((name) => name !== "PacketWorker").sort();
  writeForNode(INLINE.node, "inline.cjs", inline);
  writeTypes(INLINE.name, readFileSync(join(root, "types/inline.d.ts"), "utf8"));
  for (const name of ["CHANGELOG.md", "README.md"]) cpSync(join(root, name), join(pkg, name));
  cpSync(join(checkout, "LICENSE"), join(pkg, "LICENSE"));
  writeFileSync(join(pkg, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
}

/** One implementation for `import` and `require`: a recipient or an error of the one is one of the other. */
function writeForNode(node, core, exported) {
  const lines = exported.map((one) => `exports.${one} = kunji.${one};\n`);
  writeFileSync(join(pkg, `${node}.cjs`), `"use strict";\nconst kunji = require("./${core}");\n${lines.join("")}`);
  writeFileSync(
    join(pkg, `${node}.mjs`),
    `import kunji from "./${core}";\nexport const { ${exported.join(", ")} } = kunji;\n`,
  );
}

function writeTypes(name, types) {
  writeFileSync(join(pkg, `${name}.d.ts`), types);
  writeFileSync(join(pkg, `${name}.d.cts`), types.replaceAll(/(from "\.\/\w+)\.js"/g, '$1.cjs"'));
}

function manifest() {
  return {
    name: "@kunji/client",
    version: version(),
    description: "Encrypts and opens packets for a Kunji or MOSIP key manager, in browsers and Node",
    license: "Apache-2.0",
    keywords: ["encryption", "envelope-encryption", "key-manager", "mosip", "openg2p", "registration", "wasm"],
    type: "module",
    sideEffects: false,
    engines: { node: ">=20" },
    exports: {
      ...Object.fromEntries([...ENTRIES, ...ADDITIONS, INLINE].map((entry) => [entry.path, conditions(entry)])),
      [`./${WASM}`]: `./${WASM}`,
      [`./${WORKER}`]: `./${WORKER}`,
      "./package.json": "./package.json",
    },
    main: "./node.cjs",
    module: "./browser.js",
    types: "./index.d.ts",
    files: ["API.md", "CHANGELOG.md", "*.js", "*.mjs", "*.cjs", WASM, "*.d.ts", "*.d.cts"],
  };
}

function conditions({ name, browser, node }) {
  return {
    node: {
      import: { types: `./${name}.d.ts`, default: `./${node}.mjs` },
      require: { types: `./${name}.d.cts`, default: `./${node}.cjs` },
    },
    default: { types: `./${name}.d.ts`, default: `./${browser}.js` },
  };
}

/** The tests import the package by its name. */
function linkPackage() {
  const scope = join(root, "node_modules/@kunji");
  mkdirSync(scope, { recursive: true });
  rmSync(join(scope, "client"), { recursive: true, force: true });
  symlinkSync("../../pkg", join(scope, "client"));
}
