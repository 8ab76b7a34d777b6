// The package in Firefox, under the policy that it promises to work under: the bodies that run in Node and Chromium, the
// worker, and packets of the published files that open elsewhere.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { decryptPacket, decryptRegistrationPacket } from "@kunji/client";
import { pkg } from "../scripts/paths.js";
import { CASES, ROUTES, runBody, runInWorker, titleOf, WORKER_CASES } from "./support/bodies.js";
import { launchFirefox } from "./support/firefox.js";
import { serve } from "./support/server.js";
import { recipients } from "./support/vectors.js";

const { certificate_pem: pem, private_key_pkcs8_pem: privateKeyPem } = recipients.rsa2048;

let firefox;
let server;
const sent = new Map();

before(async () => {
  server = await serve({
    ...ROUTES,
    "/client/": `${pkg}/`,
    "/eval.js": (_, response) => response.setHeader("content-type", "text/javascript").end("(0, eval)('1');"),
    "/sent/": async (request, response) => {
      sent.set(request.url, Buffer.concat(await request.toArray()));
      response.writeHead(201).end();
    },
  });
  firefox = await launchFirefox();
});
after(async () => {
  await firefox?.close();
  await server?.close();
});

/** Runs `body` in a page of its own, which complains of nothing. */
async function inPage(body, given) {
  const page = await firefox.open(server.url);
  try {
    const result = await page.evaluate(body, given);
    assert.deepEqual(page.faults(), []);
    return result;
  } finally {
    await page.close();
  }
}

test("the policy counts", async () => {
  const page = await firefox.open(server.url);
  assert.match(await page.evaluate(() => import("/eval.js").then(String, String)), /^EvalError/);
  await page.close();
});

/** It takes as long as all others, and no engine makes a difference to it. */
const LONG = "whatWasAlteredDoesNotOpen";

for (const file of Object.keys(CASES)) {
  describe(file, () => {
    for (const [name, options] of CASES[file].filter(([name]) => name !== LONG)) {
      test(titleOf(name, options), () => inPage(runBody, { file, name, options }));
    }
  });
}

describe("the worker", () => {
  for (const name of WORKER_CASES) {
    test(name, () => inPage(runInWorker, { name, given: { pem, privateKeyPem } }));
  }
});

test("packets that are made in one, and as streams, open elsewhere", async () => {
  await inPage(makePackets, { pem });
  const der = Buffer.from(privateKeyPem.replaceAll(/-----.*?-----|\s/g, ""), "base64");
  const algorithm = { name: "RSA-OAEP", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["unwrapKey"]);
  assert.equal(String(Buffer.from(await decryptPacket(sent.get("/sent/text"), key))), "Asha Ümit Devi");
  const content = Uint8Array.from({ length: 5 * 1024 * 1024 + 7 }, (_, index) => (index * 31) % 251);
  for (const name of ["stream", "registration", "transform"]) {
    const open = name === "registration" ? decryptRegistrationPacket : decryptPacket;
    assert.ok(Buffer.from(await open(sent.get(`/sent/${name}`), key)).equals(content), name);
  }
});

async function makePackets({ pem }) {
  const { encryptPacket, encryptPacketStream, PacketEncryptionStream, parseRecipient } = await import(
    "/client/browser.js"
  );
  const recipient = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01T00:00:00Z") });
  const send = async (name, readable) => {
    const body = await new Response(readable).blob();
    await fetch(`/sent/${name}`, { method: "POST", body });
    return body.size;
  };
  await send("text", await encryptPacket("Asha Ümit Devi", recipient));
  const content = Uint8Array.from({ length: 5 * 1024 * 1024 + 7 }, (_, index) => (index * 31) % 251);
  const file = new File([content], "a");
  for (const [name, options] of [
    ["stream", {}],
    ["registration", { registration: true }],
  ]) {
    const { readable, length } = await encryptPacketStream(file, recipient, options);
    if ((await send(name, readable)) !== length) throw new Error(`${name} has another length`);
  }
  await send("transform", file.stream().pipeThrough(new PacketEncryptionStream(recipient)));
}
