// How much memory a large packet takes: of the page's process, as the system counts it.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { pkg } from "../scripts/paths.js";
import { launch, openPage } from "./support/chromium.js";
import { serve } from "./support/server.js";
import { recipients } from "./support/vectors.js";

const MIB = 1024 * 1024;
const { certificate_pem: pem } = recipients.rsa2048;

let browser;
let server;

before(async () => {
  server = await serve({ "/client/": `${pkg}/` });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Runs `body` on 64 MiB and then on more, and tells by how many MiB the page's process grew at most over the first. */
async function growth(body, mebibytes) {
  const { page, faults, close } = await openPage(browser, server.url);
  try {
    await page.evaluate(body, { pem, mebibytes: 64 });
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
    const before = renderers.map(resident);
    for (const id of renderers) writeFileSync(`/proc/${id}/clear_refs`, "5");
    const bytes = await page.evaluate(body, { pem, mebibytes });
    assert.deepEqual(faults, []);
    const grown = renderers.map((id, index) => peak(id) - before[index]);
    return { mebibytes: Math.max(...grown), bytes };
  } finally {
    await close();
  }
}

const field = (id, name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${id}/status`, "utf8"))[1]) / 1024;
const resident = (id) => field(id, "VmRSS");
const peak = (id) => field(id, "VmHWM");

test("a packet of 1 GiB is made with at most 24 MiB", async () => {
  // What is needed is the least of what was taken: when garbage is collected is up to the engine.
  const taken = [];
  for (let i = 0; i < 4 && !(Math.min(...taken) <= 24); i++) {
    const { mebibytes, bytes } = await growth(encryptLarge, 1024);
    assert.equal(bytes, 1024 * MIB + 356);
    taken.push(mebibytes);
  }
  assert.ok(Math.min(...taken) <= 24, `${taken} MiB`);
});

async function encryptLarge({ pem, mebibytes }) {
  const kunji = await import("/client/browser.js");
  const recipient = await kunji.parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
  const part = new Uint8Array(256 * 1024).fill(7);
  let left = mebibytes * 4;
  const source = new ReadableStream(
    { pull: (controller) => (left-- > 0 ? controller.enqueue(part) : controller.close()) },
    { highWaterMark: 0 },
  );
  const { readable } = await kunji.encryptPacketStream(source, recipient);
  const { port1, port2 } = new MessageChannel();
  port2.close();
  let bytes = 0;
  for (const reader = readable.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return bytes;
    bytes += value.length;
    // What comes out is the reader's, and here it goes on to somebody else, as it would to a worker. What a buffer took
    // the browser gives back when it next has nothing to do, which a network or a disk grants it with each part: at
    // full speed some 32 MiB wait for that, and as many when WebCrypto alone makes them.
    port1.postMessage(value, [value.buffer]);
    await new Promise((resolve) => setTimeout(resolve));
  }
}
