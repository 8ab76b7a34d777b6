// Packets made and opened in a worker, in Chromium and under the policy that the package promises to work under.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { decryptPacket, encryptPacket, parseRecipient } from "@kunji/client";
import { PacketWorker } from "@kunji/client/worker";
import { pkg, root } from "../scripts/paths.js";
import { runInWorker, WORKER_CASES } from "./support/bodies.js";
import { launch, openPage } from "./support/chromium.js";
import { POLICY, serve } from "./support/server.js";
import { recipients } from "./support/vectors.js";

const { certificate_pem: pem, private_key_pkcs8_pem: privateKeyPem } = recipients.rsa2048;

describe("in Chromium", () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  /** Runs a body of `bodies/worker.js` in a page; what it returns, and what the page complained of. */
  async function run(name, routes = {}, options = {}) {
    const all = { ...routes, "/client/": `${pkg}/`, "/bodies/": `${join(root, "test/bodies")}/` };
    const server = await serve(all, options);
    const { page, faults, close } = await openPage(browser, server.url);
    try {
      return { result: await page.evaluate(runInWorker, { name, given: { pem, privateKeyPem } }), faults };
    } finally {
      await close();
      await server.close();
    }
  }

  for (const name of WORKER_CASES) {
    test(name, async () => {
      assert.deepEqual((await run(name)).faults, []);
    });
  }

  test("a worker that cannot be started is told, and started anew by the next call", async () => {
    const missing = (_, response) => response.writeHead(404).end();
    let asked = 0;
    const route = (request, response) => {
      asked += 1;
      missing(request, response);
    };
    const { result } = await run("failureAndAnother", { "/client/kunji-worker.js": route });
    assert.deepEqual(result, ["runtime.load", "runtime.load"]);
    assert.ok(asked >= 2);
  });

  test("a policy that forbids workers is told", async () => {
    const { result } = await run("failureAndAnother", {}, { policy: `${POLICY}; worker-src 'none'` });
    assert.deepEqual(result, ["runtime.load", "runtime.load"]);
  });
});

describe("in Node", () => {
  const content = new Uint8Array(100_000);
  let recipient;
  let key;
  before(async () => {
    recipient = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
    const der = Buffer.from(privateKeyPem.replaceAll(/-----.*?-----|\s/g, ""), "base64");
    key = await crypto.subtle.importKey("pkcs8", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["decrypt"]);
  });

  test("the functions are the same", async () => {
    const worker = new PacketWorker();
    const { signal } = new AbortController();
    const packet = await worker.encryptPacket(content, recipient, { signal });
    assert.deepEqual(await decryptPacket(packet, key), content);
    assert.deepEqual(await worker.decryptPacket(await encryptPacket(content, recipient), key), content);
    const { readable } = await worker.encryptPacketStream(new Blob([content]), recipient, { registration: true });
    const registration = new Uint8Array(await new Response(readable).arrayBuffer());
    assert.deepEqual(await worker.decryptRegistrationPacket(registration, key), content);
    const opened = await worker.decryptPacketStream(packet, key);
    assert.deepEqual(new Uint8Array(await new Response(opened.readable).arrayBuffer()), content);
    const another = await worker.encryptRegistrationPacket(content, recipient);
    assert.equal(another.length, registration.length);
    await assert.rejects(worker.encryptPacket(content, recipient, { signal: "now" }), { code: "input.type" });
  });

  test("a closed one does nothing", async () => {
    const worker = new PacketWorker();
    const { readable } = await worker.encryptPacketStream(content, recipient);
    worker.close();
    await assert.rejects(readable.getReader().read(), { code: "runtime.closed" });
    await assert.rejects(worker.encryptPacket(content, recipient), { code: "runtime.closed", name: "KunjiError" });
  });
});
