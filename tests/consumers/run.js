// node tests/consumers/run.js --tarball FILE --certificate URL --anchors FILE --content FILE --out DIRECTORY
//
// Installs the package's tarball into a fresh project of each kind, and has each make packets of the content, for the
// certificate at the URL: DIRECTORY/KIND.packet and DIRECTORY/KIND.registration. Prints the kinds, one a line.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, createServer } from "vite";
import { launch, openPage } from "../../client-wasm/test/support/chromium.js";
import { serve } from "../../client-wasm/test/support/server.js";

const here = dirname(fileURLToPath(import.meta.url));
const OUTCOME_TIMEOUT = 60_000;

const names = ["tarball", "certificate", "anchors", "content", "out"];
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: "string" }])) });
for (const name of names) if (!values[name]) throw new Error(`--${name} is missing`);
const files = { anchors: resolve(values.anchors), content: resolve(values.content) };
const out = resolve(values.out);

const KINDS = {
  "node-esm": inNode("node-esm", "index.mjs"),
  "node-cjs": inNode("node-cjs", "index.cjs"),
  plain: (kind) => withProject("plain", (project) => inChromium(kind, { "/": `${project}/` })),
  vite: (kind) =>
    withProject("vite", async (project) => {
      const outDir = join(project, "dist");
      await build({ root: project, logLevel: "warn", build: { outDir } });
      await inChromium(kind, { "/": `${outDir}/` });
    }),
  "vite-dev": (kind) =>
    withProject("vite", async (project) => {
      const server = await createServer({
        root: project,
        logLevel: "warn",
        server: { middlewareMode: true },
      });
      try {
        // Vite's own script stands in the page.
        const policy = "default-src 'self' ws: 'unsafe-inline'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-inline'";
        await inChromium(kind, { "/": (request, response) => server.middlewares(request, response) }, { policy });
      } finally {
        await server.close();
      }
    }),
};

mkdirSync(out, { recursive: true });
for (const [kind, makePackets] of Object.entries(KINDS)) {
  await makePackets(kind);
  console.log(kind);
}

/** Runs `body` on a project outside of every other one, with nothing installed but the tarball. */
async function withProject(template, body) {
  const project = mkdtempSync(join(tmpdir(), "kunji-consumer-"));
  try {
    cpSync(join(here, template), project, { recursive: true });
    writeFileSync(join(project, "package.json"), '{ "private": true }\n');
    const options = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    execFileSync("npm", ["install", ...options, resolve(values.tarball)], { cwd: project, stdio: "pipe" });
    await body(project);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

function inNode(template, script) {
  return (kind) =>
    withProject(template, (project) => {
      const { certificate, anchors, content } = { ...values, ...files };
      const env = {
        ...process.env,
        CERTIFICATE_URL: certificate,
        ANCHORS: anchors,
        CONTENT: content,
        OUT: join(out, kind),
      };
      execFileSync(process.execPath, [script], { cwd: project, env, stdio: ["ignore", "pipe", "inherit"] });
    });
}

async function inChromium(kind, routes, options) {
  const receive = (suffix) => async (request, response) => {
    writeFileSync(join(out, `${kind}.${suffix}`), Buffer.concat(await request.toArray()));
    response.writeHead(201).end();
  };
  const server = await serve(
    {
      "/anchors": (_, response) => response.end(readFileSync(files.anchors)),
      "/content": (_, response) => response.end(readFileSync(files.content)),
      "/certificate": handOnCertificate,
      "/made.packet": receive("packet"),
      "/made.registration": receive("registration"),
      ...routes,
    },
    options,
  );
  const browser = await launch();
  try {
    const { page, faults } = await openPage(browser, `${server.url}index.html`);
    await page.waitForSelector("[data-outcome]", { state: "attached", timeout: OUTCOME_TIMEOUT }).catch((error) => {
      throw new Error(`${kind}: ${error.message} ${faults.join("\n")}`);
    });
    const outcome = await page.getAttribute("body", "data-outcome");
    if (outcome !== "sent" || faults.length > 0) throw new Error(`${kind}: ${outcome} ${faults.join("\n")}`);
  } finally {
    await browser.close();
    await server.close();
  }
}

async function handOnCertificate(request, response) {
  const answer = await fetch(values.certificate, { headers: { accept: request.headers.accept } });
  response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" });
  response.end(Buffer.from(await answer.arrayBuffer()));
}
