// The layouts beside packets, through the package as it is published.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { encryptPacket, encryptPacketStream, encryptRegistrationPacket, parseRecipient } from "@kunji/client";
import {
  decryptAuthRequest,
  decryptBiometricBlock,
  decryptForMachine,
  decryptRegistrationContainer,
  decryptWithPin,
  encryptAuthRequest,
  encryptBiometricBlock,
  encryptForMachine,
  encryptRegistrationContainer,
  encryptWithPin,
  parsePacket,
} from "@kunji/client/layouts";
import { describeBodies } from "./support/bodies.js";
import { code } from "./support/failure.js";
import { certificates, recipients } from "./support/vectors.js";

const { subtle } = globalThis.crypto;
const RSA_OAEP = { name: "RSA-OAEP", hash: "SHA-256" };
const RS256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

let recipient;
let key;
let spki;
let machine;
let sign;

before(async () => {
  const { certificate_pem: pem, private_key_pkcs8_pem: privatePem } = recipients.rsa2048;
  recipient = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
  const der = Buffer.from(privatePem.replaceAll(/-----.*?-----|\s/g, ""), "base64");
  key = await subtle.importKey("pkcs8", der, RSA_OAEP, false, ["unwrapKey"]);
  const { createPublicKey } = await import("node:crypto");
  spki = createPublicKey(privatePem).export({ type: "spki", format: "der" });
  const parameters = { ...RS256, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  machine = await subtle.generateKey(parameters, false, ["sign", "verify"]);
  sign = async (bytes) => new Uint8Array(await subtle.sign(RS256, machine.privateKey, bytes));
});

const bytes = (length) => Uint8Array.from({ length }, (_, index) => (index * 31) % 251);
const base64url = (value) => Buffer.from(value).toString("base64url");

const CAPTURE = { timestamp: "2026-01-05T10:11:12.123Z", transactionId: "1234567890" };
const ABOUT = {
  id: "10001100110000120260105101112-10001_10001-20260105101112",
  refId: "10001_10001",
  source: "REGISTRATION_CLIENT",
  process: "NEW",
  schemaVersion: "0.1",
  providerName: "PacketWriterImpl",
  providerVersion: "v1.0",
  creationDate: "2026-01-05T10:11:12.123Z",
};
const containerOf = (...contents) => ({
  ...ABOUT,
  subPackets: contents.map((content, index) => ({ name: ["id", "evidence", "optional"][index], content })),
});
const verify = async (content, signature, { refId }) => {
  assert.equal(refId, ABOUT.refId);
  return await subtle.verify(RS256, machine.publicKey, signature, content);
};

describeBodies("layouts");

describe("requests to ID Authentication", () => {
  test("open again, whatever base64 they come in", async () => {
    const json = JSON.stringify({ timestamp: CAPTURE.timestamp, name: "Zoë" });
    const request = await encryptAuthRequest(json, recipient);
    for (const member of Object.values(request)) assert.match(member, /^[\w-]+$/);
    assert.equal(Buffer.from(request.thumbprint, "base64url").toString("hex"), recipient.thumbprint);
    const standard = Object.fromEntries(
      Object.entries(request).map(([name, text]) => [name, Buffer.from(text, "base64url").toString("base64")]),
    );
    const glued = Buffer.concat([
      Buffer.from(request.thumbprint, "base64url"),
      Buffer.from(request.requestSessionKey, "base64url"),
    ]);
    for (const form of [request, standard, { ...request, requestSessionKey: base64url(glued) }]) {
      assert.equal(Buffer.from(await decryptAuthRequest(form, key)).toString(), json);
    }
  });

  test("do not open with a member of another request, or altered", async () => {
    const [one, other] = [await encryptAuthRequest("one", recipient), await encryptAuthRequest("one", recipient)];
    for (const mixed of [
      { ...one, request: other.request },
      { ...one, requestHMAC: other.requestHMAC },
      { ...one, requestHMAC: one.request },
      { ...one, requestSessionKey: other.requestSessionKey },
      { ...one, requestSessionKey: "AAAA" },
    ]) {
      assert.equal(await code(decryptAuthRequest(mixed, key)), "packet.decryption_failed");
    }
    assert.equal(await code(decryptAuthRequest({ ...one, request: "AAAA" }, key)), "packet.truncated");
    for (const text of ["*", "A A", "AA\nAA", "A+_A", "A"]) {
      assert.equal(await code(decryptAuthRequest({ ...one, request: text }, key)), "encoding.base64", text);
    }
    for (const wrong of [undefined, null, "text", {}, { ...one, request: 5 }]) {
      assert.equal(await code(decryptAuthRequest(wrong, key)), "input.type");
    }
    assert.equal(await code(decryptAuthRequest(one, {})), "input.key");
    assert.equal(await code(encryptAuthRequest("", recipient)), "packet.empty_content");
    assert.equal(await code(encryptAuthRequest(new ReadableStream(), recipient)), "input.type");
    assert.equal(await code(encryptAuthRequest("x", {})), "input.type");
  });
});

describe("biometric blocks", () => {
  test("open with their capture, and with no other", async () => {
    for (const length of [1, 20_000]) {
      const block = await encryptBiometricBlock(bytes(length), recipient, CAPTURE);
      assert.equal(block.thumbprint, recipient.thumbprint.toUpperCase());
      assert.deepEqual(await decryptBiometricBlock(block, key, CAPTURE), bytes(length));
      const other = { ...CAPTURE, transactionId: "1234567891" };
      assert.equal(await code(decryptBiometricBlock(block, key, other)), "packet.decryption_failed");
    }
  });

  test("need a capture", async () => {
    const short = { timestamp: "2026-01-05", transactionId: "1" };
    assert.equal(await code(encryptBiometricBlock("x", recipient, short)), "layout.capture_length");
    for (const wrong of [undefined, {}, { timestamp: 5, transactionId: "1" }]) {
      assert.equal(await code(encryptBiometricBlock("x", recipient, wrong)), "input.type");
    }
  });
});

describe("contents under a PIN", () => {
  test("open with the PIN and the iterations", async () => {
    for (const [length, options] of [
      [1, undefined],
      [20_000, { iterations: 10 }],
    ]) {
      const sealed = await encryptWithPin(bytes(length), "738291", options);
      assert.deepEqual(await decryptWithPin(sealed, "738291", options), bytes(length));
      assert.equal(await code(decryptWithPin(sealed, "738292", options)), "packet.decryption_failed");
      assert.equal(await code(decryptWithPin(sealed, "738291", { iterations: 11 })), "packet.decryption_failed");
    }
    assert.equal(await code(decryptWithPin(bytes(59), "1")), "packet.truncated");
    for (const iterations of [0, -1, 1.5, 10_000_001, "10", Number.NaN]) {
      assert.equal(await code(encryptWithPin("x", "1", { iterations })), "layout.iterations");
    }
    for (const pin of [undefined, 1234, "\ud800"]) assert.equal(await code(encryptWithPin("x", pin)), "input.type");
  });
});

describe("contents for machines", () => {
  test("open with their key", async () => {
    for (const kind of [undefined, "local", "tpm"]) {
      for (const form of [spki, spki.toString("base64"), base64url(spki)]) {
        const sealed = await encryptForMachine(bytes(1000), form, { kind });
        assert.deepEqual(await decryptForMachine(sealed, key, { kind }), bytes(1000));
      }
    }
    const sealed = await encryptForMachine("x", spki, { kind: "tpm" });
    assert.equal(await code(decryptForMachine(sealed, key)), "packet.decryption_failed");
    assert.equal(await code(decryptForMachine(sealed.subarray(0, 299), key)), "packet.truncated");
    assert.equal(await code(decryptForMachine(sealed, key, { kind: "android" })), "input.type");
  });

  test("need a key that they can be encrypted for", async () => {
    const keyOf = async (title) => {
      const { X509Certificate } = await import("node:crypto");
      return new X509Certificate(certificates[title]).publicKey.export({ type: "spki", format: "der" });
    };
    for (const [title, expected] of [
      ["self_elliptic", "public_key.not_rsa"],
      ["self_rsa1024", "public_key.unsupported_size"],
      ["self_exponent3", "public_key.unsupported_exponent"],
    ]) {
      assert.equal(await code(encryptForMachine("x", await keyOf(title))), expected);
    }
    assert.equal(await code(encryptForMachine("x", bytes(100))), "public_key.malformed");
    assert.equal(await code(encryptForMachine("x", 5)), "input.type");
    assert.equal(await code(encryptForMachine("x", spki, { kind: "toaster" })), "input.type");
  });
});

describe("registration containers", () => {
  test("open again, with descriptions and contents", async () => {
    const contents = [bytes(3000), new Blob([bytes(50_000)]), "optional"];
    const packet = await encryptRegistrationContainer(containerOf(...contents), recipient, { sign });
    const opened = await decryptRegistrationContainer(packet, key, { verify });
    assert.deepEqual(
      opened.map(({ content }) => content.length),
      [3000, 50_000, 8],
    );
    assert.deepEqual(opened[0].content, bytes(3000));
    const { packetName, signature, encryptedHash, ...about } = opened[2].description;
    assert.deepEqual(about, ABOUT);
    assert.equal(packetName, `${ABOUT.id}_optional`);
    assert.ok(signature && encryptedHash);
  });

  test("are not opened if a signature is not good, whoever says so", async () => {
    const packet = await encryptRegistrationContainer(containerOf("x"), recipient, { sign: async () => bytes(256) });
    assert.equal(await code(decryptRegistrationContainer(packet, key, { verify })), "container.signature");
    for (const answer of [undefined, 1, "true"]) {
      const options = { verify: () => answer };
      assert.equal(await code(decryptRegistrationContainer(packet, key, options)), "container.signature");
    }
  });

  /** A ZIP as Java writes it: deflated, lengths behind the content. */
  function zipOf(entries, { claimed } = {}) {
    const parts = [];
    const directory = [];
    let offset = 0;
    for (const [name, content] of entries) {
      const stored = deflateRawSync(content);
      const checksum = crc32(content);
      const local = Buffer.alloc(30);
      local.writeUInt32LE(0x04034b50, 0);
      local.writeUInt16LE(20, 4);
      local.writeUInt16LE(8, 6);
      local.writeUInt16LE(8, 8);
      local.writeUInt16LE(name.length, 26);
      const descriptor = Buffer.alloc(16);
      descriptor.writeUInt32LE(0x08074b50, 0);
      descriptor.writeUInt32LE(checksum, 4);
      descriptor.writeUInt32LE(stored.length, 8);
      descriptor.writeUInt32LE(content.length, 12);
      const central = Buffer.alloc(46);
      central.writeUInt32LE(0x02014b50, 0);
      central.writeUInt16LE(8, 8);
      central.writeUInt16LE(8, 10);
      central.writeUInt32LE(checksum, 16);
      central.writeUInt32LE(stored.length, 20);
      central.writeUInt32LE(claimed ?? content.length, 24);
      central.writeUInt16LE(name.length, 28);
      central.writeUInt32LE(offset, 42);
      parts.push(local, Buffer.from(name), stored, descriptor);
      directory.push(central, Buffer.from(name));
      offset += local.length + name.length + stored.length + descriptor.length;
    }
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(entries.length, 8);
    end.writeUInt16LE(entries.length, 10);
    end.writeUInt32LE(Buffer.concat(directory).length, 12);
    end.writeUInt32LE(offset, 16);
    return Buffer.concat([...parts, ...directory, end]);
  }

  const crc32 = (content) => {
    let crc = ~0;
    for (const byte of content) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    return ~crc >>> 0;
  };

  async function entriesOf(content, others = {}) {
    const { createHash } = await import("node:crypto");
    const sealed = await encryptRegistrationPacket(content, recipient);
    const about = {
      ...{ id: ABOUT.id, packetname: "x_id", refid: ABOUT.refId, unknown: { nested: true } },
      ...{ signature: base64url(await sign(content)) },
      // Padded, as some write it.
      ...{ encryptedhash: `${createHash("sha256").update(sealed).digest("base64url")}=` },
      ...others,
    };
    return [
      ["CLIENT/NEW/x_id.zip", sealed],
      ["CLIENT/NEW/x_id.json", Buffer.from(JSON.stringify(about))],
    ];
  }

  const sealed = (entries, options) => encryptRegistrationPacket(zipOf(entries, options), recipient);

  test("that Java wrote open", async () => {
    const opened = await decryptRegistrationContainer(await sealed(await entriesOf(bytes(5000))), key, { verify });
    assert.deepEqual(opened[0].content, bytes(5000));
    assert.equal(opened[0].path, "CLIENT/NEW/x_id.zip");
  });

  test("that are damaged or made up do not", async () => {
    const good = await entriesOf(bytes(500));
    const open = async (packet) => await code(decryptRegistrationContainer(await packet, key, { verify }));
    assert.equal(await open(encryptRegistrationPacket("no archive", recipient)), "container.malformed");
    assert.equal(await open(sealed([])), "container.malformed");
    assert.equal(await open(sealed(good.slice(0, 1))), "container.malformed");
    assert.equal(await open(sealed([good[0], [good[1][0], Buffer.from("[")]])), "container.malformed");
    assert.equal(await open(sealed([good[0], [good[1][0], Buffer.from("5")]])), "container.malformed");
    // More comes out than was said, and less.
    assert.equal(await open(sealed(good, { claimed: 10 })), "container.malformed");
    assert.equal(await open(sealed(good, { claimed: 100_000 })), "container.malformed");
    assert.equal(await open(sealed(good, { claimed: 2 ** 32 - 1 })), "container.malformed");
    assert.equal(await open(sealed(await entriesOf(bytes(500), { encryptedhash: "AAAA" }))), "container.hash");
    assert.equal(await open(sealed(await entriesOf(bytes(500), { signature: "*" }))), "encoding.base64");
    assert.equal(
      await open(sealed(await entriesOf(bytes(500), { signature: base64url(bytes(256)) }))),
      "container.signature",
    );
    assert.equal(await open(sealed([["../x.zip", good[0][1]], good[1]])), "container.name");
    const many = Array.from({ length: 1001 }, (_, index) => [`${index}.zip`, Buffer.from("x")]);
    assert.equal(await open(sealed(many)), "container.too_many_entries");
    const garbage = [
      ["a.zip", Buffer.from("no packet")],
      ["a.json", good[1][1]],
    ];
    assert.equal(await open(sealed(garbage)), "container.hash");
  });

  test("need names, contents and a signer", async () => {
    const make = (container, options = { sign }) => code(encryptRegistrationContainer(container, recipient, options));
    assert.equal(await make(containerOf("x"), {}), "input.type");
    assert.equal(await make(containerOf("x"), { sign: () => "text" }), "input.type");
    assert.equal(await make(containerOf()), "input.type");
    assert.equal(await make({ ...ABOUT, subPackets: [{ name: 5, content: "x" }] }), "input.type");
    assert.equal(await make({ ...containerOf("x"), process: 5 }), "input.type");
    assert.equal(await make(containerOf("")), "packet.empty_content");
    const name = (text) => ({ ...ABOUT, subPackets: [{ name: text, content: "x" }] });
    assert.equal(await make(name("a/../b")), "container.name");
    assert.equal(
      await make({ ...ABOUT, subPackets: [...name("id").subPackets, ...name("id").subPackets] }),
      "container.name",
    );
    const packet = await encryptRegistrationContainer(containerOf("x"), recipient, { sign });
    assert.equal(await code(decryptRegistrationContainer(packet, key, {})), "input.type");
  });
});

describe("a packet shows without a key", () => {
  test("for whom it is, and where its parts stand", async () => {
    for (const [options, hasHeader] of [
      [undefined, true],
      [{ aad: bytes(5) }, false],
    ]) {
      const packet = await encryptPacket(bytes(100), recipient, options);
      const start = hasHeader ? 38 : 32;
      for (const form of [packet, packet.buffer, new Blob([packet])]) {
        assert.deepEqual(await parsePacket(form), {
          hasHeader,
          thumbprint: recipient.thumbprint,
          readings: [
            {
              modulusLength: 2048,
              hasThumbprint: true,
              wrappedKey: { start, end: start + 256 },
              splitter: { start: start + 256, end: start + 270 },
              body: { start: start + 270, end: packet.length },
            },
          ],
        });
      }
    }
    const packet = await encryptRegistrationPacket(bytes(100), recipient);
    const { hasHeader, readings } = await parsePacket(packet, { registration: true });
    assert.equal(hasHeader, false);
    assert.deepEqual(readings[0].wrappedKey, { start: 76, end: 332 });
    assert.deepEqual(readings[0].body, { start: 346, end: packet.length });
    const { readable } = await encryptPacketStream("x", recipient);
    const streamed = new Uint8Array(await new Response(readable).arrayBuffer());
    assert.equal((await parsePacket(streamed)).thumbprint, recipient.thumbprint);
  });

  test("without a thumbprint too", async () => {
    const packet = (await encryptPacket(bytes(100), recipient, { aad: bytes(5) })).subarray(32);
    const { thumbprint, readings } = await parsePacket(packet);
    assert.equal(thumbprint, undefined);
    assert.deepEqual(
      readings.map(({ hasThumbprint, modulusLength }) => [hasThumbprint, modulusLength]),
      [[false, 2048]],
    );
  });

  test("unless it is none", async () => {
    assert.equal(await code(parsePacket(bytes(1000))), "packet.splitter_missing");
    assert.equal(await code(parsePacket(bytes(20), { registration: true })), "packet.truncated");
    for (const wrong of ["text", undefined, new ReadableStream()]) {
      assert.equal(await code(parsePacket(wrong)), "input.type");
    }
  });
});
