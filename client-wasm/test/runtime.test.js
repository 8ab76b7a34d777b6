// Loading, surroundings that lack something, and recovery.

import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pkg, testing } from "../scripts/paths.js";
import { launch, openPage, UNTRUSTWORTHY_HOST } from "./support/chromium.js";
import { POLICY, serve } from "./support/server.js";
import { recipients } from "./support/vectors.js";

const require = createRequire(import.meta.url);
const { certificate_pem: pem, private_key_pkcs8_pem: privateKeyPem } = recipients.rsa2048;
const now = new Date("2027-01-01T00:00:00Z");

describe("after a trap", () => {
  /** More memory than there is. */
  const trap = (kunji) =>
    kunji.withBindings((bindings) => bindings.seal({ length: 2 ** 32 - 1 }, pem, pem, false)).catch((error) => error);

  test("the call says so and the next one works, on a new instance", async () => {
    const kunji = require(join(testing, "node.cjs"));
    const recipient = await kunji.parseRecipient(pem, { anchors: [pem], now });
    for (let i = 0; i < 3; i++) {
      const before = await kunji.memoryOf();
      const error = await trap(kunji);
      assert.equal(error.code, "runtime.failed");
      assert.ok(error.cause instanceof WebAssembly.RuntimeError, String(error.cause));
      assert.equal(before.length, 0, "the old memory can still be read");
      assert.equal((await kunji.encryptPacket("text", recipient)).length, 362 + 4 - 44 + 38);
    }
  });
});

describe("calls at the same time as one that traps succeed", () => {
  const kunji = require(join(testing, "node.cjs"));
  const options = { anchors: [pem], now };
  const content = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
  const trap = () =>
    kunji.withBindings((bindings) => bindings.seal({ length: 2 ** 32 - 1 }, pem, pem, false)).catch((error) => error);
  let recipient;
  let key;

  before(async () => {
    recipient = await kunji.parseRecipient(pem, options);
    const der = Buffer.from(privateKeyPem.replaceAll(/-----.*?-----|\s/g, ""), "base64");
    key = await crypto.subtle.importKey("pkcs8", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["decrypt"]);
  });

  const calls = {
    "parsing a certificate": async () => {
      assert.equal((await kunji.parseRecipient(pem, options)).thumbprint, recipient.thumbprint);
    },
    "refusing one": async () => {
      const error = await kunji.parseRecipient("junk", options).catch((error) => error);
      assert.equal(error.code, "pem.missing");
      assert.match(error.message, /^[ -~]+$/);
    },
    "a small packet": () => roundTrip(content.subarray(0, 100)),
    "a large packet": () => roundTrip(content),
    "a packet with salt": () => roundTrip(content, { salt: content.subarray(0, 16), aad: content.subarray(0, 5) }),
  };

  async function roundTrip(data, layout) {
    const packet = await kunji.encryptPacket(data, recipient, layout);
    assert.deepEqual(await kunji.decryptPacket(packet, key, layout), data);
  }

  for (const [name, call] of Object.entries(calls)) {
    test(name, async () => {
      for (let turns = 0; turns < 14; turns++) {
        const trapping = [trap()];
        const first = call();
        for (let i = 0; i < turns; i++) await undefined;
        trapping.push(trap());
        const [failures] = await Promise.all([Promise.all(trapping), first, call(), call(), trap(), call()]);
        for (const failure of failures) assert.equal(failure.code, "runtime.failed");
      }
      await call();
    });
  }
});

test("without its file the package says what is missing, and recovers once it is there", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kunji-"));
  for (const file of ["node.cjs", "kunji.cjs"]) await cp(join(pkg, file), join(directory, file));
  const kunji = require(join(directory, "node.cjs"));
  const parse = () => kunji.parseRecipient(pem, { anchors: [pem], now });
  await assert.rejects(parse(), { code: "runtime.load", name: "KunjiError" });
  await cp(join(pkg, "browser.js"), join(directory, "kunji.wasm"));
  await assert.rejects(parse(), { code: "runtime.load" });
  await cp(join(pkg, "kunji.wasm"), join(directory, "kunji.wasm"));
  assert.equal((await parse()).modulusLength, 2048);
  await rm(directory, { recursive: true });
});

describe("in Chromium", () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  /** Makes a packet in a page and opens it again. */
  async function packetInPage({ host, init, ...options } = {}, routes = {}) {
    return await inPage({ ...routes, "/client/": `${pkg}/` }, makePacket, { host, init, ...options });
  }

  /** Runs `body` in a page, where the policy counts. */
  async function inPage(routes, body, { host, init, ...options } = {}) {
    const server = await serve(routes, options);
    const { page, faults, close } = await openPage(browser, host ? `http://${host}:${server.port}/` : server.url, init);
    try {
      return { result: await page.evaluate(body, { pem, privateKeyPem }), faults };
    } finally {
      await close();
      await server.close();
    }
  }

  test("a plain module script works under the policy", async () => {
    const { result, faults } = await packetInPage();
    assert.deepEqual(result, { opened: true, bytes: 100_000 });
    assert.deepEqual(faults, []);
  });

  test("the entry with everything in it needs nothing but itself, in pages and in workers", async () => {
    // Not even the page's own server may be asked, once the script is there.
    const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";
    const routes = {
      "/client/inline.js": join(pkg, "inline.js"),
      "/worker.js": (_, response) =>
        response
          .setHeader("content-type", "text/javascript")
          .end(`import { encryptPacket, parseRecipient } from "/client/inline.js";
          onmessage = async ({ data: pem }) => {
            const recipient = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
            postMessage((await encryptPacket("text", recipient)).length);
          };`),
    };
    const { result, faults } = await inPage(routes, packetsInPageAndWorker, { policy });
    assert.deepEqual(result, [360, 360]);
    assert.deepEqual(faults, []);
  });

  test("a server that does not know the media type does not matter", async () => {
    for (const mediaType of ["application/octet-stream", "text/plain"]) {
      const { result, faults } = await packetInPage({ mediaTypes: { ".wasm": mediaType } });
      assert.deepEqual(result, { opened: true, bytes: 100_000 });
      assert.deepEqual(faults, []);
    }
  });

  test("on an origin without WebCrypto packets are made, but not opened", async () => {
    const { result, faults } = await packetInPage({ host: UNTRUSTWORTHY_HOST });
    assert.deepEqual(result, { bytes: 100_000 + 362 - 44 + 38, opening: "runtime.unsupported" });
    assert.deepEqual(faults, []);
  });

  test("a policy that forbids WebAssembly is named", async () => {
    const policy = POLICY.replace(" 'wasm-unsafe-eval'", "");
    for (const mediaTypes of [{}, { ".wasm": "text/plain" }]) {
      const { result } = await packetInPage({ policy, mediaTypes });
      assert.equal(result.code, "runtime.unsupported");
      assert.match(result.hint, /'wasm-unsafe-eval'/);
    }
  });

  test("a file that is not there, or is a page instead, is named, and asked for again", async () => {
    for (const answer of [
      (response) => response.writeHead(404).end(),
      (response) => response.setHeader("content-type", "text/html").end("<!doctype html>"),
      (response) => response.destroy(),
    ]) {
      let asked = 0;
      const route = (_, response) => {
        asked += 1;
        answer(response);
      };
      const { result } = await packetInPage({}, { "/client/kunji.wasm": route });
      assert.equal(result.code, "runtime.load");
      assert.equal(result.again, "runtime.load");
      assert.ok(asked >= 2);
    }
  });

  test("a browser without WebAssembly is told apart", async () => {
    const init = () => {
      delete globalThis.WebAssembly;
    };
    assert.equal((await packetInPage({ init })).result.code, "runtime.unsupported");
  });

  test("after a trap the next call works", async () => {
    const { result, faults } = await inPage({ "/testing/": `${testing}/` }, trapInPage);
    assert.deepEqual(result, { code: "runtime.failed", left: 0, bytes: 360 });
    assert.deepEqual(faults, []);
  });
});

async function packetsInPageAndWorker({ pem }) {
  const { encryptPacket, parseRecipient } = await import("/client/inline.js");
  const recipient = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01T00:00:00Z") });
  const worker = new Worker("/worker.js", { type: "module" });
  const inWorker = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  worker.postMessage(pem);
  return [(await encryptPacket("text", recipient)).length, await inWorker];
}

async function trapInPage({ pem }) {
  const kunji = await import("/testing/browser.js");
  const now = new Date("2027-01-01T00:00:00Z");
  const recipient = await kunji.parseRecipient(pem, { anchors: [pem], now });
  const memory = await kunji.memoryOf();
  const failure = await kunji
    .withBindings((bindings) => bindings.seal({ length: 2 ** 32 - 1 }, pem, pem, false))
    .catch((error) => error);
  const packet = await kunji.encryptPacket("text", recipient);
  return { code: failure.code, left: memory.length, bytes: packet.length };
}

async function makePacket({ pem, privateKeyPem }) {
  const kunji = await import("/client/browser.js");
  const parse = () => kunji.parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01T00:00:00Z") });
  const codeOf = (error) => error.code ?? String(error);
  try {
    const recipient = await parse();
    const packet = await kunji.encryptPacket(new Uint8Array(100_000), recipient);
    if (!crypto.subtle) {
      return { bytes: packet.length, opening: await kunji.decryptPacket(packet, {}).catch(codeOf) };
    }
    const base64 = privateKeyPem.replaceAll(/-----.*?-----|\s/g, "");
    const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const algorithm = { name: "RSA-OAEP", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["decrypt"]);
    const content = await kunji.decryptPacket(packet, key);
    return { opened: content.every((byte) => byte === 0), bytes: content.length };
  } catch (error) {
    return { code: codeOf(error), hint: error.hint, again: await parse().catch(codeOf) };
  }
}
