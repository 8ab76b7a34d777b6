// The README is what a user sees first: its example runs as it stands, its table has every code and no other.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseRecipient } from "@kunji/client";
import { pkg, root } from "../scripts/paths.js";
import { launch, openPage } from "./support/chromium.js";
import { serve } from "./support/server.js";
import { recipients } from "./support/vectors.js";

const readme = readFileSync(join(root, "README.md"), "utf8");
const { certificate_pem: pem } = recipients.rsa2048;

const sorted = (matches) => [...matches].map(([, found]) => found).sort();

test("the table of errors has the codes of the types", () => {
  const section = readme.slice(readme.indexOf("## Errors"), readme.indexOf("## Where"));
  const cells = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell]) => cell).join(" ");
  const listed = sorted(cells.matchAll(/`([a-z_]+\.[a-z_]+)`/g));
  const union = readFileSync(join(pkg, "index.d.ts"), "utf8").split("export type ErrorCode =")[1];
  assert.ok(listed.length > 30);
  assert.deepEqual(listed, sorted(union.matchAll(/\| "([a-z._]+)"/g)));
});

test("every code that the sources of the tests expect is one of them, and every one is expected somewhere", () => {
  const tests = [
    "form",
    "jws",
    "layouts",
    "network",
    "packet",
    "queue",
    "recipient",
    "recipients",
    "runtime",
    "streams",
    "worker",
  ]
    .map((name) => readFileSync(join(root, `test/${name}.test.js`), "utf8"))
    .join();
  const union = readFileSync(join(pkg, "index.d.ts"), "utf8").split("export type ErrorCode =")[1];
  const codes = sorted(union.matchAll(/\| "([a-z._]+)"/g));
  const families = [...new Set(codes.map((code) => code.split(".")[0]))].join("|");
  const expected = new Set(sorted(tests.matchAll(new RegExp(`"((?:${families})\\.[a-z_]+)"`, "g"))));
  for (const pattern of tests.matchAll(/packet\\\.\(([a-z_|]+)\)/g)) {
    for (const name of pattern[1].split("|")) expected.add(`packet.${name}`);
  }
  assert.deepEqual([...expected].sort(), codes);
});

describe("the example for browsers", () => {
  const example = /```html\n(.*?)```/s.exec(readme)[1];
  let browser;
  let server;
  let sent;

  before(async () => {
    const page = example.replace(/-----BEGIN CERTIFICATE-----\n…(.*?)…\n-----END CERTIFICATE-----/s, pem.trim());
    assert.notEqual(page, example);
    server = await serve(
      {
        "/form": (_, response) => response.setHeader("content-type", "text/html; charset=utf-8").end(page),
        "/node_modules/@kunji/client/": `${pkg}/`,
        "/v1/certificates/REGISTRATION/10001_110011": (_, response) =>
          response.end(JSON.stringify({ certificate: pem, chain: [] })),
        "/packets": async (request, response) => {
          sent = Buffer.concat(await request.toArray());
          response.writeHead(201).end();
        },
      },
      // The script stands in the page.
      { policy: "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'" },
    );
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test("has about 15 lines of script", () => {
    assert.ok(example.split("\n").length <= 22);
  });

  test("sends a packet", async () => {
    const { page, faults, close } = await openPage(browser, `${server.url}form`);
    await page.fill("[name=name]", "Zoë");
    await page.click("button");
    await page.waitForFunction(() => document.querySelector("output").value !== "");
    const said = await page.evaluate(() => document.querySelector("output").value);
    await close();
    assert.deepEqual(faults, []);
    assert.equal(said, `sent ${sent.length} encrypted bytes`);
    const { thumbprint } = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
    assert.equal(sent.subarray(0, 6).toString(), "VER_R2");
    assert.equal(sent.subarray(6, 38).toString("hex"), thumbprint);
  });
});
