// The npm package as its users get it: the tarball in fresh projects, and the page in the README.
import assert from "node:assert/strict";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import nodeResolve from "@rollup/plugin-node-resolve";
import esbuild from "esbuild";
import { rollup } from "rollup";
import { build, createServer } from "vite";
import webpack from "webpack";
import { launch } from "./support/browser.mjs";
import { below, withFiles } from "./support/files.mjs";
import { packedPackage, root, run } from "./support/project.mjs";
import { anchors, open } from "./support/server.mjs";
import { packageOrigin, serverUrl } from "./support/surroundings.mjs";

const certificateUrl = `${serverUrl}/v1/certificates/REGISTRATION/10001_110011`;
const record = { name: "Asha Ümit Devi", born: "1992-04-17" };

let project;
let remove;
before(async () => {
  ({ project, remove } = await packedPackage());
});
after(() => remove?.());

/** What each project does, with `encryptPacket` and `fetchRecipient` at hand: a packet in base64. */
const encrypting = async () => `
  const recipient = await fetchRecipient(${JSON.stringify(certificateUrl)}, { anchors: ${JSON.stringify(await anchors())} });
  const packet = await encryptPacket(${JSON.stringify(JSON.stringify(record))}, recipient);
  const text = btoa(String.fromCharCode(...packet));
`;

/** The same in a page that has `PacketWorker` as well: a packet made in the page, and one made in a worker. */
const encryptingTwice = async () => `
  ${await encrypting()}
  const inWorker = await new PacketWorker().encryptPacket(${JSON.stringify(JSON.stringify(record))}, recipient);
  document.querySelector("output").textContent = text + ";" + btoa(String.fromCharCode(...inWorker));
`;

const imports = (from) => `import { encryptPacket, fetchRecipient } from "${from}";`;
const importsWorker = (from) => `import { PacketWorker } from "${from}";`;

async function bothOpen(output) {
  const packets = output.split(";");
  assert.equal(packets.length, 2);
  for (const packet of packets) await opensAs(packet);
}

async function opensAs(base64) {
  assert.deepEqual(await open(Buffer.from(base64, "base64")), record);
}

/** Opens the page of an origin whose files `contentOf` has, and returns what stands in its \`output\`. */
async function outputOf(contentOf, policy, prepare = async () => {}) {
  return await withFiles(
    packageOrigin,
    contentOf,
    async () => {
      const context = await (await launch()).newContext();
      const faults = [];
      try {
        const page = await context.newPage();
        page.on("pageerror", (error) => faults.push(`thrown: ${error}`));
        page.on("console", (message) => {
          if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico"))
            faults.push(message.text());
        });
        await page.goto(packageOrigin);
        await prepare(page);
        const output = page.locator("output", { hasText: /./ });
        await output.waitFor({ timeout: 20_000 }).catch((error) => faults.push(error.message));
        assert.deepEqual(faults, []);
        return await output.innerText();
      } finally {
        await context.close();
      }
    },
    policy,
  );
}

const strictPolicy = `default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ${serverUrl}`;
const page = (script) =>
  `<!doctype html><title>form</title><output></output><script type="module" src="${script}"></script>`;

test("Node, ES module", async () => {
  const path = await project("esm", {
    "use.mjs": `import { encryptPacket, fetchRecipient } from "@kunji/client";${await encrypting()}console.log(text);`,
  });
  await opensAs((await run("node", ["use.mjs"], { cwd: path })).stdout);
});

test("Node, CommonJS", async () => {
  const path = await project("cjs", {
    "use.cjs": `const { encryptPacket, fetchRecipient } = require("@kunji/client");
      (async () => {${await encrypting()}console.log(text);})();`,
  });
  await opensAs((await run("node", ["use.cjs"], { cwd: path })).stdout);
});

test("a page without a bundler, under a strict policy", async () => {
  const path = await project("plain", {
    "index.html": page("./form.js"),
    "form.js": `${imports("./node_modules/@kunji/client/browser.js")}
      ${importsWorker("./node_modules/@kunji/client/worker.js")}${await encryptingTwice()}`,
  });
  await bothOpen(await outputOf(below(path), strictPolicy));
});

test("a page that Vite builds, under a strict policy", async () => {
  const path = await project("vite", {
    "index.html": page("/form.js"),
    "form.js": `${imports("@kunji/client")}${importsWorker("@kunji/client/worker")}${await encryptingTwice()}`,
  });
  await build({ root: path, configFile: false, logLevel: "error", build: { target: "es2022" } });
  const assets = await readdir(join(path, "dist/assets"));
  assert.equal(assets.filter((name) => name.endsWith(".wasm")).length, 1, String(assets));
  await bothOpen(await outputOf(below(join(path, "dist")), strictPolicy));
});

/** A page whose script a bundler makes of the entry `from`, and of the worker unless that is one script; `dist/form.js`. */
async function bundled(name, from) {
  const isAlone = from.endsWith("/inline");
  const path = await project(name, {
    "form.js": isAlone
      ? `${imports(from)}${await encrypting()}document.querySelector("output").textContent = text + ";" + text;`
      : `${imports(from)}${importsWorker(`${from}/worker`)}${await encryptingTwice()}`,
  });
  await mkdir(join(path, "dist"));
  await writeFile(join(path, "dist/index.html"), page("./form.js"));
  return path;
}

/** For bundlers that do not take them along. */
async function copyFiles(path) {
  for (const name of ["kunji.wasm", "kunji-worker.js"]) {
    await copyFile(join(path, "node_modules/@kunji/client", name), join(path, "dist", name));
  }
}

test("a page that webpack builds, under a strict policy", async () => {
  const path = await bundled("webpack", "@kunji/client");
  const output = { path: join(path, "dist"), filename: "form.js" };
  const compiler = webpack({ context: path, mode: "production", entry: "./form.js", output });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).errors, []);
  const assets = await readdir(join(path, "dist"));
  assert.equal(assets.filter((name) => name.endsWith(".wasm")).length, 1, String(assets));
  await bothOpen(await outputOf(below(join(path, "dist")), strictPolicy));
});

for (const [what, from] of [
  ["with the files beside it", "@kunji/client"],
  ["with all in one script", "@kunji/client/inline"],
]) {
  const copies = from === "@kunji/client";

  test(`a page that esbuild builds ${what}, under a strict policy`, async () => {
    const path = await bundled(`esbuild-${copies}`, from);
    const [entry, outfile] = [join(path, "form.js"), join(path, "dist/form.js")];
    await esbuild.build({
      entryPoints: [entry],
      bundle: true,
      minify: true,
      format: "esm",
      outfile,
      logLevel: "error",
    });
    if (copies) await copyFiles(path);
    await bothOpen(await outputOf(below(join(path, "dist")), strictPolicy));
  });

  test(`a page that Rollup builds ${what}, under a strict policy`, async () => {
    const path = await bundled(`rollup-${copies}`, from);
    const bundle = await rollup({ input: join(path, "form.js"), plugins: [nodeResolve({ browser: true })] });
    await bundle.write({ file: join(path, "dist/form.js"), format: "es", inlineDynamicImports: true });
    await bundle.close();
    if (copies) await copyFiles(path);
    await bothOpen(await outputOf(below(join(path, "dist")), strictPolicy));
  });
}

test("a page of another origin renews what the server has not changed, and takes it along", async () => {
  const name = { application: "REGISTRATION", reference: "10001_110011" };
  const options = { url: serverUrl, anchors: await anchors() };
  const path = await project("recipients", {
    "index.html": page("./form.js"),
    "form.js": `import { encryptPacket } from "./node_modules/@kunji/client/browser.js";
      import { KeyManagerClient, parseBundle } from "./node_modules/@kunji/client/recipients.js";
      const [name, options] = [${JSON.stringify(name)}, ${JSON.stringify(options)}];
      let [time, statuses] = [Date.now(), []];
      const asked = async (url, init) => {
        const answer = await fetch(url, init);
        statuses.push(answer.status);
        return answer;
      };
      const keys = new KeyManagerClient({ ...options, fetch: asked, now: () => new Date(time) });
      await keys.recipient(name.application, name.reference);
      // Longer than the server lets it be kept.
      time += 3_600_001;
      await keys.recipient(name.application, name.reference);
      while (statuses.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
      const { recipient } = await parseBundle(await keys.bundle([name]), { ...name, anchors: options.anchors });
      const packet = await encryptPacket(${JSON.stringify(JSON.stringify(record))}, recipient);
      document.querySelector("output").textContent = statuses + ";" + btoa(String.fromCharCode(...packet));`,
  });
  const [statuses, packet] = (await outputOf(below(path), strictPolicy)).split(";");
  assert.equal(statuses, "200,304");
  await opensAs(packet);
});

test("a server that renders, from the package and with all in its own bundle", async () => {
  const script = async (from) => `import { encryptPacket, fetchRecipient } from "${from}";
    export async function render() {${await encrypting()}return text;}`;
  const path = await project("ssr", {
    "package.json": JSON.stringify({ name: "ssr", private: true, type: "module" }),
    "render.js": await script("@kunji/client"),
    "alone.js": await script("@kunji/client/inline"),
  });
  const server = await createServer({
    root: path,
    configFile: false,
    logLevel: "error",
    server: { middlewareMode: true },
  });
  try {
    await opensAs(await (await server.ssrLoadModule("/render.js")).render());
  } finally {
    await server.close();
  }
  const options = { root: path, configFile: false, logLevel: "error", ssr: { noExternal: true } };
  await build({ ...options, build: { ssr: "alone.js", target: "node20" } });
  // Alone indeed.
  await rm(join(path, "node_modules"), { recursive: true });
  await opensAs(await (await import(join(path, "dist/alone.js"))).render());
});

test("the page in the README", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const [, html] = /<< 'END'\n(<!doctype html>\n.*?)END\n/s.exec(readme);
  assert.ok(html.includes("http://127.0.0.1:8088/"));
  const here = html.replaceAll("http://127.0.0.1:8088", serverUrl);
  const files = below(join(root, "client-wasm"));
  const contentOf = async (path) => (path === "/" ? here : path === "/root.pem" ? (await anchors())[0] : files(path));
  const press = async (page) => {
    // The script waits for the root's certificate; people are not as fast as this either.
    await page.waitForFunction(() => document.forms[0].onsubmit !== null);
    await page.getByRole("button", { name: "Encrypt" }).click();
  };
  // VER_R2, thumbprint, wrapped key, splitter, nonce block and tag; then the record.
  const around = 6 + 32 + 256 + 14 + 32 + 16;
  const length = around + JSON.stringify({ name: "Asha Devi" }).length;
  assert.equal(await outputOf(contentOf, undefined, press), `${length} bytes that only the key manager can open`);
});
