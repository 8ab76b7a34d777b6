// Makes the npm package out of the TypeScript and what wasm-bindgen wrote: bundles, types, manifest.

import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { glueFactory } from "./glue.js";
import { checkout, glue, pkg, root, testing, version } from "./paths.js";

const WASM = "kunji.wasm";

await bundle(pkg, "index.ts");
await bundle(testing, "testing.ts");
writePackage();
linkPackage();

/** One file for browsers, one for Node, and the WebAssembly beside them. */
async function bundle(directory, entry) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const common = {
    entryPoints: [join(root, "ts", entry)],
    bundle: true,
    target: "es2022",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    plugins: [glueFactory],
    logLevel: "warning",
  };
  const alias = (platform) => ({
    "#glue": join(glue, "kunji_bg.js"),
    "#host": join(root, "ts/host.ts"),
    "#platform": join(root, `ts/platform/${platform}.ts`),
  });
  await build({
    ...common,
    format: "esm",
    platform: "browser",
    // A sixth of what is sent. In Node names stay, so that a stack trace says something.
    minifyIdentifiers: true,
    alias: alias("browser"),
    outfile: join(directory, "browser.js"),
  });
  await build({
    ...common,
    format: "cjs",
    platform: "node",
    alias: alias("node"),
    outfile: join(directory, "node.cjs"),
  });
  cpSync(join(glue, "kunji_bg.wasm"), join(directory, WASM));
}

function writePackage() {
  const names = [
    "KunjiError",
    "PacketEncryptionStream",
    "Recipient",
    "decryptPacket",
    "decryptPacketStream",
    "decryptRegistrationPacket",
    "encryptPacket",
    "encryptPacketStream",
    "encryptRegistrationPacket",
    "fetchRecipient",
    "parseRecipient",
  ];
  // One implementation for `import` and `require`: a recipient or an error of the one is one of the other.
  writeFileSync(
    join(pkg, "node.mjs"),
    `import kunji from "./node.cjs";\nexport const { ${names.join(", ")} } = kunji;\n`,
  );
  cpSync(join(root, "types/index.d.ts"), join(pkg, "index.d.ts"));
  cpSync(join(root, "types/index.d.ts"), join(pkg, "index.d.cts"));
  cpSync(join(root, "README.md"), join(pkg, "README.md"));
  cpSync(join(checkout, "LICENSE"), join(pkg, "LICENSE"));
  writeFileSync(join(pkg, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
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
      ".": {
        node: {
          import: { types: "./index.d.ts", default: "./node.mjs" },
          require: { types: "./index.d.cts", default: "./node.cjs" },
        },
        default: { types: "./index.d.ts", default: "./browser.js" },
      },
      [`./${WASM}`]: `./${WASM}`,
      "./package.json": "./package.json",
    },
    main: "./node.cjs",
    module: "./browser.js",
    types: "./index.d.ts",
    files: ["browser.js", "node.mjs", "node.cjs", WASM, "index.d.ts", "index.d.cts"],
  };
}

/** The tests import the package by its name. */
function linkPackage() {
  const scope = join(root, "node_modules/@kunji");
  mkdirSync(scope, { recursive: true });
  rmSync(join(scope, "client"), { recursive: true, force: true });
  symlinkSync("../../pkg", join(scope, "client"));
}
