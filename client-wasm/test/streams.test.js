// Packets as streams, through the package as it is published: limits of memory and time, progress, and ends that come
// too early.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import {
  decryptPacket,
  decryptPacketStream,
  decryptRegistrationPacket,
  encryptPacket,
  encryptPacketStream,
  encryptRegistrationPacket,
  PacketEncryptionStream,
  parseRecipient,
} from "@kunji/client";
import { testing } from "../scripts/paths.js";
import { environment } from "./bodies/pieces.js";
import { code } from "./support/failure.js";
import { recipients } from "./support/vectors.js";

const MIB = 1024 * 1024;
const { subtle } = globalThis.crypto;

let recipient;
let key;

before(async () => {
  const { certificate_pem: pem, private_key_pkcs8_pem: privatePem } = recipients.rsa2048;
  recipient = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
  const der = Buffer.from(privatePem.replaceAll(/-----.*?-----|\s/g, ""), "base64");
  key = await subtle.importKey("pkcs8", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["unwrapKey"]);
});

const bytes = (length) => Uint8Array.from({ length }, (_, index) => (index * 31) % 251);
const collect = async (readable) => new Uint8Array(await new Response(readable).arrayBuffer());

/** A stream that gives one part of `length` bytes after the other for ever, and tells when it was cancelled. */
function endless(length) {
  const state = { pulled: 0, cancelled: undefined };
  state.stream = new ReadableStream(
    {
      pull(controller) {
        state.pulled += 1;
        controller.enqueue(new Uint8Array(length));
      },
      cancel(reason) {
        state.cancelled = reason;
      },
    },
    { highWaterMark: 0 },
  );
  return state;
}

describe("what is encrypted as a stream", () => {
  const content = bytes(5 * MIB + 7);

  test("opens in one shot, and the other way round", async () => {
    for (const registration of [false, true]) {
      const { readable, length } = await encryptPacketStream(new Blob([content]), recipient, { registration });
      const packet = await collect(readable);
      assert.equal(packet.length, length);
      const open = registration ? decryptRegistrationPacket : decryptPacket;
      assert.deepEqual(await open(packet, key), content);
      const opened = await decryptPacketStream(packet, key, { registration });
      assert.equal(opened.length, content.length);
      assert.deepEqual(await collect(opened.readable), content);
    }
  });

  test("may be piped through", async () => {
    const options = { salt: bytes(16), aad: bytes(3) };
    const source = new Blob([content]).stream();
    const packet = await collect(source.pipeThrough(new PacketEncryptionStream(recipient, options)));
    assert.deepEqual(await decryptPacket(packet, key, options), content);
  });

  test("has no length if its source has none", async () => {
    const { readable, length } = await encryptPacketStream(new Blob([content]).stream(), recipient);
    assert.equal(length, undefined);
    assert.deepEqual(await decryptPacket(await collect(readable), key), content);
  });

  test("may be text, and a stream may become one array", async () => {
    const { readable } = await encryptPacketStream("Zoë", recipient);
    assert.equal(new TextDecoder().decode(await decryptPacket(await collect(readable), key)), "Zoë");
    const packet = await encryptRegistrationPacket(new Blob([content]).stream(), recipient);
    assert.deepEqual(await decryptRegistrationPacket(packet, key), content);
  });
});

test("content beyond the limit of one shot is made and opened in pieces", async () => {
  const content = new Uint8Array(65 * MIB + 5).fill(7);
  const seen = [];
  const packet = await encryptPacket(content, recipient, { onProgress: (progress) => seen.push(progress) });
  assert.equal(seen.length, 131);
  assert.deepEqual(seen.at(-1), { bytes: content.length, total: content.length });
  assert.deepEqual(seen[0], { bytes: MIB / 2, total: content.length });
  seen.length = 0;
  const opened = await decryptPacket(packet, key, { onProgress: (progress) => seen.push(progress) });
  assert.ok(Buffer.from(opened.buffer).equals(Buffer.from(content.buffer)));
  assert.deepEqual(seen.at(-1), { bytes: 2 * content.length, total: 2 * content.length });
  packet[packet.length - 1] ^= 1;
  assert.equal(await code(decryptPacket(packet, key)), "packet.decryption_failed");
});

test("progress of small content is told once", async () => {
  for (const work of [
    (options) => encryptPacket(bytes(1000), recipient, options),
    (options) => encryptRegistrationPacket(bytes(1000), recipient, options),
  ]) {
    const seen = [];
    await work({ onProgress: (progress) => seen.push(progress) });
    assert.deepEqual(seen, [{ bytes: 1000, total: 1000 }]);
  }
});

test("a callback that throws ends the call with what it threw", async () => {
  const onProgress = () => {
    throw new RangeError("enough");
  };
  await assert.rejects(encryptPacket("x", recipient, { onProgress }), RangeError);
  const source = endless(MIB);
  await assert.rejects(encryptPacket(source.stream, recipient, { onProgress }), RangeError);
  assert.ok(source.cancelled);
});

describe("a call that is aborted rejects with the signal's reason", () => {
  const reason = new Error("never mind");

  test("before it began", async () => {
    const signal = AbortSignal.abort(reason);
    const source = endless(10);
    for (const call of [
      () => encryptPacket("x", recipient, { signal }),
      () => encryptRegistrationPacket("x", recipient, { signal }),
      () => encryptPacket(source.stream, recipient, { signal }),
      () => encryptPacketStream(new Blob(["x"]), recipient, { signal }),
      () => decryptPacket(new Uint8Array(400), key, { signal }),
      () => decryptRegistrationPacket(new Uint8Array(400), key, { signal }),
      () => decryptPacketStream(new Uint8Array(400), key, { signal }),
      () => collect(new Blob(["x"]).stream().pipeThrough(new PacketEncryptionStream(recipient, { signal }))),
    ]) {
      await assert.rejects(call(), reason);
    }
    assert.equal(source.cancelled, reason);
  });

  test("mid-way, and the source is told", async () => {
    const controller = new AbortController();
    const source = endless(MIB);
    const onProgress = ({ bytes }) => {
      if (bytes === 3 * MIB) controller.abort(reason);
    };
    const call = encryptPacket(source.stream, recipient, { signal: controller.signal, onProgress });
    await assert.rejects(call, reason);
    assert.equal(source.cancelled, reason);
    assert.ok(source.pulled < 8, `${source.pulled} parts were read`);
  });

  test("while a source says nothing", async () => {
    let isCancelled = false;
    const silent = () =>
      new ReadableStream({
        cancel() {
          isCancelled = true;
        },
      });
    for (const start of [
      (options) => encryptPacket(silent(), recipient, options),
      (options) => decryptPacketStream({ size: 1000, open: silent }, key, options),
    ]) {
      isCancelled = false;
      const controller = new AbortController();
      const call = start({ signal: controller.signal });
      setImmediate(() => controller.abort(reason));
      await assert.rejects(call, reason);
      assert.ok(isCancelled);
    }
  });

  test("while its stream is read", async () => {
    const controller = new AbortController();
    const source = endless(MIB);
    const { readable } = await encryptPacketStream(source.stream, recipient, { signal: controller.signal });
    const reader = readable.getReader();
    await reader.read();
    await reader.read();
    controller.abort(reason);
    await assert.rejects(reader.read(), reason);
    assert.equal(source.cancelled, reason);

    const packet = await encryptPacket(bytes(3 * MIB), recipient);
    const other = new AbortController();
    const opened = (await decryptPacketStream(packet, key, { signal: other.signal })).readable.getReader();
    await opened.read();
    other.abort(reason);
    await assert.rejects(opened.read(), reason);
  });
});

test("a stream that nobody wants any more stops its source, even one that says nothing", async () => {
  const source = endless(MIB);
  const { readable } = await encryptPacketStream(source.stream, recipient);
  const reader = readable.getReader();
  await reader.read();
  await reader.cancel("enough");
  assert.equal(source.cancelled, "enough");

  let isCancelled = false;
  let times = 0;
  const silentAfterOne = new ReadableStream({
    pull: (controller) => (times++ === 0 ? controller.enqueue(new Uint8Array(MIB)) : new Promise(() => {})),
    cancel() {
      isCancelled = true;
    },
  });
  const other = (await encryptPacketStream(silentAfterOne, recipient)).readable.getReader();
  await other.read();
  const waiting = other.read();
  await other.cancel("enough");
  await waiting;
  assert.ok(isCancelled);
});

test("it reads no faster than it is read", async () => {
  const source = endless(MIB);
  const { readable } = await encryptPacketStream(source.stream, recipient);
  const reader = readable.getReader();
  for (let i = 0; i < 4; i++) await reader.read();
  const { pulled } = source;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(source.pulled, pulled);
  assert.ok(pulled <= 6, `${pulled} parts were read for 3 that came out`);
  await reader.cancel();
});

describe("input that cannot be streamed", () => {
  test("is empty", async () => {
    const empty = () => new ReadableStream({ start: (controller) => controller.close() });
    assert.equal(await code(encryptPacketStream(empty(), recipient)), "packet.empty_content");
    assert.equal(await code(encryptPacket(empty(), recipient)), "packet.empty_content");
    assert.equal(await code(encryptPacketStream(new Blob([]), recipient)), "packet.empty_content");
    const through = empty().pipeThrough(new PacketEncryptionStream(recipient));
    assert.equal(await code(through.getReader().read()), "packet.empty_content");
  });

  test("breaks off", async () => {
    for (const parts of [0, 1, 3]) {
      const stream = () =>
        ReadableStream.from(
          (async function* () {
            for (let i = 0; i < parts; i++) yield new Uint8Array(MIB);
            throw new Error("the disk is gone");
          })(),
        );
      const error = await encryptPacket(stream(), recipient).catch((error) => error);
      assert.equal(error.code, "input.unreadable");
      assert.match(error.cause.message, /disk/);
    }
  });

  test("has parts of another type, or is being read", async () => {
    for (const part of ["text", 5, new Uint16Array(4)]) {
      assert.equal(await code(encryptPacket(ReadableStream.from([part]), recipient)), "input.type");
    }
    const locked = new ReadableStream();
    locked.getReader();
    assert.equal(await code(encryptPacket(locked, recipient)), "input.type");
    for (const input of [undefined, null, {}, 5]) {
      assert.equal(await code(encryptPacketStream(input, recipient)), "input.type");
    }
  });

  test("with options of other types", async () => {
    for (const options of [
      { signal: {} },
      { onProgress: 5 },
      { registration: "yes" },
      { registration: true, salt: bytes(12) },
      { registration: true, aad: bytes(12) },
      { salt: "x" },
      null,
    ]) {
      assert.equal(await code(encryptPacketStream("x", recipient, options)), "input.type");
      assert.equal(await code(decryptPacketStream(bytes(400), key, options)), "input.type");
      assert.throws(() => new PacketEncryptionStream(recipient, options), { code: "input.type" });
    }
    assert.throws(() => new PacketEncryptionStream({}), { code: "input.type" });
    const salt = new Uint8Array(65);
    assert.equal(await code(encryptPacketStream("x", recipient, { salt })), "packet.salt_length");
  });

  test("is longer than AES-GCM takes", async () => {
    const kunji = createRequire(import.meta.url)(join(testing, "node.cjs"));
    const checked = await kunji.parseRecipient(recipient.pem, {
      anchors: [recipient.pem],
      now: new Date("2027-01-01"),
    });
    const limits = environment({ maxContentBytes: 640 });
    const sealed = (content) => kunji.seal(content, checked, { registration: true }, limits);
    assert.equal((await sealed(bytes(640))).length, 640 + 362);
    await assert.rejects(sealed(bytes(641)), { code: "packet.too_long" });
    const packet = await encryptPacket("x", recipient);
    const source = { size: 70 * 1024 * MIB, open: () => ReadableStream.from([packet, new Uint8Array(2000)]) };
    assert.equal(await code(decryptPacketStream(source, key)), "packet.too_long");
  });
});

describe("packets that cannot be opened as streams", () => {
  test("are none", async () => {
    assert.equal(await code(decryptPacketStream(bytes(1000), key)), "packet.splitter_missing");
    assert.equal(await code(decryptPacketStream(new Uint8Array(), key)), "packet.splitter_missing");
    const packet = await encryptPacket("x", recipient);
    assert.equal(await code(decryptPacketStream(packet.subarray(0, 310), key)), "packet.truncated");
  });

  test("end early", async () => {
    const packet = await encryptPacket(bytes(3 * MIB), recipient);
    for (const length of [400, MIB, packet.length - 1]) {
      const source = { size: packet.length, open: () => ReadableStream.from([packet.subarray(0, length)]) };
      assert.equal(await code(decryptPacketStream(source, key)), "packet.decryption_failed");
    }
  });

  test("are wrapped for somebody else", async () => {
    const packet = await encryptPacket(bytes(100), recipient);
    for (const usages of [["decrypt"], ["unwrapKey"]]) {
      const { privateKey } = await subtle.generateKey(
        { name: "RSA-OAEP", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
        false,
        [...usages, "encrypt"],
      );
      assert.equal(await code(decryptPacketStream(packet, privateKey)), "packet.decryption_failed");
    }
  });

  test("come from sources that are none, or break off", async () => {
    for (const source of [{ size: 5 }, { size: "5", open() {} }, { open() {} }, "text", null]) {
      assert.equal(await code(decryptPacketStream(source, key)), "input.type");
    }
    const nothing = { size: 500, open: () => undefined };
    assert.equal(await code(decryptPacketStream(nothing, key)), "input.type");
    const packet = await encryptPacket(bytes(3 * MIB), recipient);
    const broken = async function* () {
      yield packet.subarray(0, MIB);
      throw new Error("gone");
    };
    const source = { size: packet.length, open: async () => ReadableStream.from(broken()) };
    assert.equal(await code(decryptPacketStream(source, key)), "input.unreadable");
    assert.equal(await code(decryptPacketStream(packet, {})), "input.key");
  });
});
