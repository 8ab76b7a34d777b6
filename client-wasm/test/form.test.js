// Forms as packets, in Chromium, and what comes out of them in Node.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { decryptPacket, decryptRegistrationPacket, parseRecipient } from "@kunji/client";
import { parseForm, sealForm } from "@kunji/client/form";
import { pkg } from "../scripts/paths.js";
import { launch, openPage } from "./support/chromium.js";
import { serve } from "./support/server.js";
import { recipients } from "./support/vectors.js";

const { certificate_pem: pem, private_key_pkcs8_pem: privatePem } = recipients.rsa2048;
const now = new Date("2027-01-01");

const FORM = `<!doctype html><title>form</title><form>
<input name="name" required value="Zoë"><input name="language" value="hi"><input name="language" value="en">
<input name="__proto__" value="x"><input name="off" disabled value="y"><input type="checkbox" name="no">
<input type="file" name="photo" multiple><input type="file" name="none">
<button name="action" value="submit">Send</button></form>`;

let browser;
let server;
let key;

before(async () => {
  browser = await launch();
  server = await serve({
    "/client/": `${pkg}/`,
    "/form": (_, response) => response.setHeader("content-type", "text/html; charset=utf-8").end(FORM),
  });
  const der = Buffer.from(privatePem.replaceAll(/-----.*?-----|\s/g, ""), "base64");
  key = await crypto.subtle.importKey("pkcs8", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["decrypt"]);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Runs `body` with what a page has at hand. */
async function inPage(body, files = [], meanwhile = async () => {}) {
  const { page, faults, close } = await openPage(browser, `${server.url}form`);
  try {
    await page.setInputFiles("[name=photo]", files);
    await page.evaluate(async (pem) => {
      const { parseRecipient } = await import("/client/browser.js");
      const { sealForm } = await import("/client/form.js");
      const recipient = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
      globalThis.test = { sealForm, recipient, form: document.querySelector("form") };
    }, pem);
    await meanwhile();
    const result = await page.evaluate(body);
    assert.deepEqual(faults, []);
    return result;
  } finally {
    await close();
  }
}

test("a form is sealed with its files, and read again", async () => {
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256));
  const files = [
    { name: "पहचान.png", mimeType: "image/png", buffer: bytes },
    { name: "empty.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) },
  ];
  const packet = await inPage(async () => {
    const sealing = test.sealForm(test.form, test.recipient, { submitter: document.querySelector("button") });
    // It has what was there when it was submitted.
    test.form.elements[0].value = "changed";
    return [...(await sealing)];
  }, files);
  const content = await decryptPacket(Uint8Array.from(packet), key);
  const { fields, files: read } = parseForm(content);
  assert.deepEqual(
    [...fields],
    [
      ["name", ["Zoë"]],
      ["language", ["hi", "en"]],
      ["__proto__", ["x"]],
      ["action", ["submit"]],
    ],
  );
  assert.deepEqual(
    read.map(({ field, file }) => [field, file.name, file.type, file.size]),
    [
      ["photo", "पहचान.png", "image/png", 100_000],
      ["photo", "empty.txt", "text/plain", 0],
    ],
  );
  assert.deepEqual(Buffer.from(await read[0].file.arrayBuffer()), bytes);
  // As any other reader has it.
  const json = JSON.parse(new TextDecoder().decode(content));
  assert.equal(json.format, "kunji.form/1");
  assert.deepEqual(json.fields.language, ["hi", "en"]);
  assert.deepEqual(Buffer.from(json.files[0].data, "base64"), bytes);
});

test("a form that is not valid says which fields, and shows nothing", async () => {
  const { code, cause, active } = await inPage(async () => {
    test.form.elements[0].value = "";
    const { code, cause } = await test.sealForm(test.form, test.recipient).catch((error) => error);
    const said = cause.map(({ name, message, element }) => [name, message !== "", element === test.form.elements[0]]);
    return { code, cause: said, active: document.activeElement.tagName };
  });
  assert.equal(code, "form.invalid");
  assert.deepEqual(cause, [["name", true, true]]);
  assert.equal(active, "BODY");
  const length = await inPage(async () => {
    test.form.elements[0].value = "";
    test.form.noValidate = true;
    return (await test.sealForm(test.form, test.recipient)).length;
  });
  assert.ok(length > 300);
});

test("a file that was changed since it was chosen is told", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kunji-form-"));
  const path = join(directory, "photo.png");
  await writeFile(path, "one");
  const seal = () => test.sealForm(test.form, test.recipient).then(String, ({ code, message }) => [code, message]);
  const [code, message] = await inPage(seal, path, () => writeFile(path, "another one"));
  await rm(directory, { recursive: true });
  assert.equal(code, "input.unreadable");
  assert.match(message, /photo\.png/);
});

describe("FormData", () => {
  let recipient;
  before(async () => {
    recipient = await parseRecipient(pem, { anchors: [pem], now });
  });
  const data = (...entries) => {
    const form = new FormData();
    for (const [name, value] of entries) form.append(name, value);
    return form;
  };
  const code = async (promise) => (await promise.then(assert.fail, (error) => error)).code;

  test("does as well, also as a registration packet", async () => {
    const packet = await sealForm(data(["name", "Asha"]), recipient, { registration: true });
    const { fields, files } = parseForm(await decryptRegistrationPacket(packet, key));
    assert.deepEqual([[...fields], files], [[["name", ["Asha"]]], []]);
  });

  test("may not have files without end", async () => {
    const large = new File(Array(64).fill(new Uint8Array(1024 * 1024)), "large");
    const form = data(["files", large], ["files", new File(["x"], "more")]);
    assert.equal(await code(sealForm(form, recipient)), "form.too_large");
  });

  test("and nothing else, for a recipient, with a signal", async () => {
    assert.equal(await code(sealForm({}, recipient)), "input.type");
    assert.equal(await code(sealForm(data(), "recipient")), "input.type");
    assert.equal(await code(sealForm(data(), recipient, null)), "input.type");
    const reason = new Error("never mind");
    await assert.rejects(sealForm(data(), recipient, { signal: AbortSignal.abort(reason) }), reason);
  });
});

test("a content that is no form is told", () => {
  const format = "kunji.form/1";
  const file = { field: "a", name: "b", type: "", size: 1, data: "AA==" };
  for (const content of [
    null,
    [],
    {},
    { format },
    { format: "kunji.form/2", fields: {}, files: [] },
    { format, fields: [], files: [] },
    { format, fields: { a: "b" }, files: [] },
    { format, fields: { a: [1] }, files: [] },
    { format, fields: {}, files: {} },
    { format, fields: {}, files: [null] },
    { format, fields: {}, files: [{ ...file, size: 2 }] },
    { format, fields: {}, files: [{ ...file, data: "?" }] },
    { format, fields: {}, files: [{ ...file, name: 1 }] },
  ]) {
    assert.throws(() => parseForm(Buffer.from(JSON.stringify(content)).subarray()), { code: "form.malformed" });
  }
  assert.equal(
    parseForm(new TextEncoder().encode(JSON.stringify({ format, fields: {}, files: [file] }))).files.length,
    1,
  );
  assert.throws(() => parseForm(Uint8Array.of(0xff)), { code: "form.malformed" });
  assert.throws(() => parseForm("{}"), { code: "input.type" });
});
