// The glue as a factory. wasm-bindgen writes a module, whose state would be shared by an instance and the one that
// replaces it: views into the memory of the one, calls into the other.

import { readFileSync } from "node:fs";

/** Makes `export function newGlue()` out of the glue, for esbuild. Every call of it gives a state of its own. */
export const glueFactory = {
  name: "glue-factory",
  setup(build) {
    build.onLoad({ filter: /kunji_bg\.js$/ }, ({ path }) => ({ contents: factory(readFileSync(path, "utf8")) }));
  },
};

/** `try { … } catch (e) { if (ptr0) { … } throw e; }` around the passing of arguments. */
const CLEANUP = /^ {4}try \{\n((?: {8}.*\n)+) {4}\} catch \(e\) \{\n(?: {8}if \(ptr.*\n)+ {8}throw e;\n {4}\}\n/gm;

function factory(source) {
  const exported = [];
  let imports = "";
  const body = source
    .replaceAll(/^import .* from '#host';$/gm, (line) => {
      imports += `${line}\n`;
      return "";
    })
    // What they free is in an instance that is given up: whatever is thrown on the way in ends it (ts/wasm.ts).
    .replaceAll(CLEANUP, "$1")
    .replaceAll(/^export function (\w+)/gm, (_, name) => {
      exported.push(name);
      return `function ${name}`;
    })
    .replaceAll(/^export \{ (\w+) as (\w+) \}$/gm, (_, local, name) => {
      exported.push(`${name}: ${local}`);
      return "";
    });
  if (/^\s*(import|export)\b/m.test(body)) throw new Error("the glue has a form that is not known");
  return `${imports}export function newGlue() {\n${body}\nreturn { ${exported.join(", ")} };\n}\n`;
}
