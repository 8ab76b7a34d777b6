// Making packets and opening them, through the package as it is published.

import assert from "node:assert/strict";
import { openAsBlob } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { runInNewContext } from "node:vm";
import {
  decryptPacket,
  decryptRegistrationPacket,
  encryptPacket,
  encryptRegistrationPacket,
  KunjiError,
  parseRecipient,
  Recipient,
} from "@kunji/client";
import { failure } from "./support/failure.js";
import { recipients } from "./support/vectors.js";

const NOW = new Date("2027-01-01T00:00:00Z");
const KIB = 1024;
const { subtle } = globalThis.crypto;

function takenAway() {
  const view = new Uint8Array(16);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

const code = async (promise) => (await failure(promise)).code;

const der = (pem) => Buffer.from(pem.replaceAll(/-----.*?-----|\s/g, ""), "base64");
const importKey = (name, { hash = "SHA-256", usages = ["decrypt"], algorithm = "RSA-OAEP" } = {}) =>
  subtle.importKey("pkcs8", der(recipients[name].private_key_pkcs8_pem), { name: algorithm, hash }, false, usages);

let recipient;
let key;

before(async () => {
  const { certificate_pem: pem } = recipients.rsa2048;
  recipient = await parseRecipient(pem, { anchors: [pem], now: NOW });
  key = await importKey("rsa2048");
});

const bytes = (length) => Uint8Array.from({ length }, (_, index) => (index * 31) % 251);

describe("what was encrypted opens", () => {
  for (const length of [1, 15, 16, 17, 1000, 100 * KIB, 1024 * KIB + 1]) {
    for (const [layout, options] of [
      ["A", undefined],
      ["B", { aad: bytes(20) }],
      ["B without data", { aad: new Uint8Array() }],
      ["C", { salt: bytes(12) }],
      ["C with a short salt", { salt: bytes(1) }],
      ["C with a long salt", { salt: bytes(64), aad: bytes(32) }],
    ]) {
      test(`${length} bytes in layout ${layout}`, async () => {
        const packet = await encryptPacket(bytes(length), recipient, options);
        assert.deepEqual(await decryptPacket(packet, key, options), bytes(length));
      });
    }
    test(`${length} bytes in a registration packet`, async () => {
      const packet = await encryptRegistrationPacket(bytes(length), recipient);
      assert.deepEqual(await decryptRegistrationPacket(packet, key), bytes(length));
      const options = { salt: packet.subarray(0, 12), aad: packet.subarray(12, 44) };
      assert.deepEqual(await decryptPacket(packet.subarray(44), key, options), bytes(length));
    });
  }

  test("for keys of every size, with either usage", async () => {
    for (const name of ["rsa2048", "rsa3072", "rsa4096"]) {
      const { certificate_pem: pem } = recipients[name];
      const packet = await encryptPacket("text", await parseRecipient(pem, { anchors: [pem], now: NOW }));
      for (const usages of [["decrypt"], ["unwrapKey"], ["decrypt", "unwrapKey"]]) {
        assert.equal(Buffer.from(await decryptPacket(packet, await importKey(name, { usages }))).toString(), "text");
      }
    }
  });

  test("as every kind of input", async () => {
    const content = bytes(40 * KIB);
    const shared = new Uint8Array(new SharedArrayBuffer(content.length));
    shared.set(content);
    const resizable = new Uint8Array(new ArrayBuffer(content.length, { maxByteLength: 2 * content.length }));
    resizable.set(content);
    const within = new Uint8Array(content.length + 20);
    within.set(content, 10);
    for (const input of [
      content,
      content.buffer,
      Buffer.from(content),
      new Blob([content]),
      new File([content], "photo.jpg"),
      shared,
      resizable,
      within.subarray(10, -10),
      runInNewContext("Uint8Array.from(content)", { content }),
    ]) {
      const packet = await encryptPacket(input, recipient);
      assert.deepEqual(await decryptPacket(packet, key), content);
      assert.deepEqual(await decryptPacket(new Blob([packet]), key), content);
      assert.deepEqual(await decryptPacket(packet.buffer, key), content);
    }
    const text = "Zoë – ज़ोई";
    assert.equal(new TextDecoder().decode(await decryptPacket(await encryptPacket(text, recipient), key)), text);
  });
});

test("a packet has a buffer of its own, and no two are alike", async () => {
  for (const length of [10, 100 * KIB]) {
    const packets = [await encryptPacket(bytes(length), recipient), await encryptPacket(bytes(length), recipient)];
    for (const packet of packets) assert.equal(packet.buffer.byteLength, packet.length);
    assert.notDeepEqual(packets[0], packets[1]);
    assert.notDeepEqual(packets[0].subarray(38, 294), packets[1].subarray(38, 294));
  }
});

test("salt and associated data are those of the call, whatever happens to them then", async () => {
  for (const length of [10, 100 * KIB]) {
    const [salt, aad] = [bytes(16), bytes(5)];
    const encrypting = encryptPacket(bytes(length), recipient, { salt, aad });
    salt.fill(0);
    structuredClone(aad.buffer, { transfer: [aad.buffer] });
    const options = { salt: bytes(16), aad: bytes(5) };
    assert.deepEqual(await decryptPacket(await encrypting, key, options), bytes(length));
  }
});

test("a packet that is taken away meanwhile does not open", async () => {
  for (const length of [10, 100 * KIB]) {
    for (let turns = 0; turns < 12; turns++) {
      const packet = await encryptPacket(bytes(length), recipient);
      const opening = decryptPacket(packet, key).then(
        (content) => content.length === length,
        (error) => error.code,
      );
      for (let i = 0; i < turns; i++) await undefined;
      structuredClone(packet.buffer, { transfer: [packet.buffer] });
      assert.ok(
        [true, "input.type", "packet.decryption_failed", "packet.splitter_missing"].includes(await opening),
        `${turns}`,
      );
    }
  }
});

test("the input is not touched", async () => {
  const content = bytes(100 * KIB);
  await encryptPacket(content, recipient);
  assert.deepEqual(content, bytes(100 * KIB));
});

describe("input that cannot be encrypted", () => {
  test("of other types", async () => {
    for (const input of [undefined, null, 5, {}, [1, 2], new Uint16Array(4), new DataView(new ArrayBuffer(4))]) {
      assert.equal(await code(encryptPacket(input, recipient)), "input.type");
    }
    for (const [tag, buffer] of [
      ["Uint8Array", new ArrayBuffer(4)],
      ["Uint8Array", undefined],
    ]) {
      const imitation = { [Symbol.toStringTag]: tag, length: 4, buffer };
      assert.equal(await code(encryptPacket(imitation, recipient)), "input.type");
    }
    const packet = await encryptPacket("x", recipient);
    for (const options of [{ salt: "text" }, { aad: [1] }, { salt: null }, { aad: takenAway() }, null, 5]) {
      assert.equal(await code(encryptPacket("x", recipient, options)), "input.type");
      assert.equal(await code(decryptPacket(packet, key, options)), "input.type");
    }
  });

  test("bytes that were taken away before", async () => {
    for (const data of [takenAway(), takenAway().buffer]) {
      assert.equal(await code(encryptPacket(data, recipient)), "input.type");
      assert.equal(await code(decryptPacket(data, key)), "input.type");
    }
  });

  test("text with half a character in it", async () => {
    for (const text of ["a\ud800b", "\udc00", "\ud83d"]) {
      assert.equal(await code(encryptPacket(text, recipient)), "input.type");
    }
    assert.equal((await decryptPacket(await encryptPacket("\u{1f600}", recipient), key)).length, 4);
  });

  test("nothing", async () => {
    for (const input of ["", new Uint8Array(), new ArrayBuffer(0), new Blob([])]) {
      assert.equal(await code(encryptPacket(input, recipient)), "packet.empty_content");
      assert.equal(await code(encryptRegistrationPacket(input, recipient)), "packet.empty_content");
    }
  });

  test("with a salt of a wrong length", async () => {
    for (const length of [0, 65]) {
      for (const content of ["x", bytes(100 * KIB)]) {
        assert.equal(await code(encryptPacket(content, recipient, { salt: bytes(length) })), "packet.salt_length");
      }
    }
  });

  test("for somebody who was not checked", async () => {
    for (const other of [undefined, null, {}, { ...recipient }, recipients.rsa2048.certificate_pem]) {
      assert.equal(await code(encryptPacket("x", other)), "input.type");
    }
    const copy = Object.create(Recipient.prototype, Object.getOwnPropertyDescriptors(recipient));
    assert.equal(await code(encryptPacket("x", copy)), "input.type");
  });

  test("a file that was changed since it was chosen", async () => {
    const directory = await mkdtemp(join(tmpdir(), "kunji-"));
    const path = join(directory, "photo");
    await writeFile(path, "as chosen");
    const blob = await openAsBlob(path);
    await writeFile(path, "as changed since then");
    assert.equal(await code(encryptPacket(blob, recipient)), "input.unreadable");
    await rm(directory, { recursive: true });
  });

  test("bytes that are taken away meanwhile", async () => {
    for (const turns of [0, 1, 2, 5]) {
      const content = bytes(100 * KIB);
      const encrypting = encryptPacket(content, recipient);
      for (let i = 0; i < turns; i++) await undefined;
      structuredClone(content.buffer, { transfer: [content.buffer] });
      assert.match(await code(encrypting), /^packet\.(cipher_failed|empty_content)$/);
    }
  });
});

describe("packets that do not open", () => {
  test("cut short anywhere", async () => {
    const packet = await encryptPacket("text", recipient);
    for (const [length, expected] of [
      [0, "packet.splitter_missing"],
      [307, "packet.splitter_missing"],
      [308, "packet.truncated"],
      [355, "packet.truncated"],
      [356, "packet.decryption_failed"],
      [packet.length - 1, "packet.decryption_failed"],
    ]) {
      assert.equal(await code(decryptPacket(packet.subarray(0, length), key)), expected, String(length));
    }
    assert.equal(await code(decryptRegistrationPacket(packet.subarray(0, 43), key)), "packet.truncated");
  });

  test("for a key of another size, and for another key", async () => {
    const packet = await encryptPacket("text", recipient);
    assert.equal(await code(decryptPacket(packet, await importKey("rsa4096"))), "packet.splitter_misplaced");
    const { privateKey } = await subtle.generateKey(
      { name: "RSA-OAEP", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
      false,
      ["decrypt", "encrypt"],
    );
    assert.equal(await code(decryptPacket(packet, privateKey)), "packet.decryption_failed");
  });

  test("with other associated data, another salt, or one of a wrong length", async () => {
    for (const content of [bytes(16), bytes(100 * KIB)]) {
      const options = { salt: bytes(16), aad: bytes(5) };
      const packet = await encryptPacket(content, recipient, options);
      for (const other of [{ salt: bytes(16) }, { ...options, salt: bytes(15) }, undefined]) {
        assert.equal(await code(decryptPacket(packet, key, other)), "packet.decryption_failed");
      }
      assert.equal(await code(decryptPacket(packet, key, { salt: bytes(65) })), "packet.salt_length");
      assert.equal(await code(decryptPacket(packet, key, { salt: new Uint8Array() })), "packet.salt_length");
    }
  });

  test("whose wrapped key is of another length than 32 bytes", async () => {
    const content = bytes(100 * KIB);
    const packet = await encryptPacket(content, recipient);
    const { publicKey } = new (await import("node:crypto")).X509Certificate(recipient.pem);
    const { constants, publicEncrypt } = await import("node:crypto");
    for (const length of [16, 31, 33]) {
      const wrapping = { key: publicKey, oaepHash: "sha256", padding: constants.RSA_PKCS1_OAEP_PADDING };
      packet.set(publicEncrypt(wrapping, bytes(length)), 38);
      for (const usages of [["decrypt"], ["unwrapKey"]]) {
        const error = await failure(decryptPacket(packet, await importKey("rsa2048", { usages })));
        assert.equal(error.code, "packet.decryption_failed");
        assert.equal(error.cause, undefined);
      }
    }
  });

  test("text, and other types", async () => {
    for (const input of ["text", undefined, {}, new Float32Array(4)]) {
      assert.equal(await code(decryptPacket(input, key)), "input.type");
    }
  });

  test("keys that are not for it", async () => {
    const packet = await encryptPacket("text", recipient);
    const aes = await subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["decrypt"]);
    const sha1 = await importKey("rsa2048", { hash: "SHA-1" });
    const signing = await importKey("rsa2048", { algorithm: "RSASSA-PKCS1-v1_5", usages: ["sign"] });
    const { publicKey } = await subtle.generateKey(
      { name: "RSA-OAEP", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
      false,
      ["decrypt", "encrypt"],
    );
    for (const other of [
      undefined,
      null,
      {},
      { type: "private", algorithm: key.algorithm },
      { type: "private", algorithm: key.algorithm, usages: ["decrypt"] },
      recipients.rsa2048.private_key_pkcs8_pem,
      aes,
      sha1,
      signing,
      publicKey,
    ]) {
      assert.equal(await code(decryptPacket(packet, other)), "input.key");
    }
  });
});

test("import and require give the same package", async () => {
  const required = createRequire(import.meta.url)("@kunji/client");
  assert.equal(required.KunjiError, KunjiError);
  assert.equal(required.encryptPacket, encryptPacket);
  assert.deepEqual(Object.keys(required).sort(), Object.keys(await import("@kunji/client")).sort());
});

test("calls at the same time do not disturb one another", async () => {
  const packets = await Promise.all(
    Array.from({ length: 20 }, (_, i) => encryptPacket(bytes(1 + i * 4000), recipient)),
  );
  const opened = await Promise.all(packets.map((packet) => decryptPacket(packet, key)));
  for (const [i, content] of opened.entries()) assert.deepEqual(content, bytes(1 + i * 4000));
});
