// The page in the README, as it would be pasted, against the real package and server.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { test } from "node:test";
import { launch } from "./support/browser.mjs";
import { otherOrigin, serverUrl } from "./support/surroundings.mjs";

const root = new URL("../../", import.meta.url);
const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

/** The page, with the server of this test in the place of the one of `make run`. */
async function page() {
  const readme = await readFile(new URL("README.md", root), "utf8");
  const [, html] = /<< 'END'\n(<!doctype html>\n.*?)END\n/s.exec(readme);
  assert.ok(html.includes("http://127.0.0.1:8088/"));
  return html.replaceAll("http://127.0.0.1:8088", serverUrl);
}

async function rootCertificate() {
  const { anchors } = await (await fetch(`${serverUrl}/demo/settings.json`)).json();
  return anchors[0];
}

async function contentOf(path) {
  if (path === "/") return page();
  if (path === "/root.pem") return rootCertificate();
  return readFile(new URL(`client-wasm${path}`, root));
}

async function serve(request, response) {
  try {
    const content = await contentOf(request.url);
    response.writeHead(200, { "content-type": types[extname(request.url) || ".html"] ?? "text/plain" }).end(content);
  } catch {
    response.writeHead(404).end();
  }
}

test("the README's page encrypts", async () => {
  const server = createServer(serve).listen(Number(new URL(otherOrigin).port), "127.0.0.1");
  const context = await (await launch()).newContext();
  const faults = [];
  try {
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(`thrown: ${error}`));
    await page.goto(otherOrigin);
    await page.getByRole("button", { name: "Encrypt" }).click();
    const said = page.locator("output", { hasText: "bytes" });
    await said.waitFor({ timeout: 20_000 });
    // VER_R2, thumbprint, wrapped key, splitter, nonce block and tag; then the record.
    const around = 6 + 32 + 256 + 14 + 32 + 16;
    const record = JSON.stringify({ name: "Asha Devi" });
    assert.equal(await said.innerText(), `${around + record.length} bytes that only the key manager can open`);
  } finally {
    await context.close();
    server.closeAllConnections();
    server.close();
    assert.deepEqual(faults, []);
  }
});
