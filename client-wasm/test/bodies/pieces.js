// Packets made and opened in pieces, against those made in one shot. Runs wherever the package does.

const NOW = new Date("2027-01-01T00:00:00Z");

const LAYOUTS = [
  { registration: false, salt: undefined, aad: undefined },
  { registration: false, salt: undefined, aad: pattern(20) },
  { registration: false, salt: pattern(12), aad: undefined },
  { registration: false, salt: pattern(1), aad: pattern(33) },
  { registration: false, salt: pattern(64), aad: pattern(16) },
  { registration: true, salt: undefined, aad: undefined },
];
const PIECE_BYTES = 64;
const SIZES = [1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 1000];

function pattern(length, step = 31) {
  return Uint8Array.from({ length }, (_, index) => (index * step) % 251);
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}

const isSame = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);

async function prepared(kunji, vectors) {
  const { certificate_pem: pem, private_key_pkcs8_pem: privatePem } = vectors.recipients.rsa2048;
  const text = atob(privatePem.replaceAll(/-----.*?-----|\s/g, ""));
  const der = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const importKey = (usage) =>
    crypto.subtle.importKey("pkcs8", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, [usage]);
  return {
    recipient: await kunji.parseRecipient(pem, { anchors: [pem], now: NOW }),
    keys: [await importKey("decrypt"), await importKey("unwrapKey")],
  };
}

/** The same random bytes every time. */
export const environment = (others = {}) => ({
  subtle: crypto.subtle,
  random: (bytes) => bytes.set(pattern(bytes.length, 73)),
  splitter: undefined,
  webCryptoFrom: 0,
  sealInPiecesFrom: 0,
  openInPiecesFrom: 0,
  pieceBytes: PIECE_BYTES,
  maxContentBytes: 2 ** 36 - 32,
  ...others,
});

const atOnce = () => environment({ sealInPiecesFrom: Number.POSITIVE_INFINITY });

/** A stream of parts of these lengths, one after the other and again. */
function streamOf(bytes, lengths) {
  let offset = 0;
  let turn = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      const part = bytes.slice(offset, offset + lengths[turn++ % lengths.length]);
      offset += part.length;
      controller.enqueue(part);
    },
  });
}

async function bytesOf(readable) {
  const parts = [];
  for (const reader = readable.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(...value);
  }
  return Uint8Array.from(parts);
}

/** Content of every length around the ends of pieces, in every layout, by both ciphers, as every kind of input. */
async function theBytesAreThoseOfOneShot(kunji, vectors, { byWebCrypto }) {
  const { recipient } = await prepared(kunji, vectors);
  const inPieces = environment({ subtle: byWebCrypto ? crypto.subtle : undefined });
  for (const layout of LAYOUTS) {
    for (const size of SIZES) {
      const content = pattern(size);
      const expected = await kunji.seal(content, recipient, layout, atOnce());
      for (const input of [content, new Blob([content]), streamOf(content, [1, 7, 64, 65, 200])]) {
        const packet = await kunji.seal(input, recipient, layout, inPieces);
        check(isSame(packet, expected), `${size} bytes of ${input} in ${JSON.stringify(layout)}`);
      }
      const input = new Blob([content]);
      const { readable, length } = await kunji.sealStream(input, recipient, layout, inPieces, new kunji.Watch());
      check(length === expected.length, `${length} bytes were announced`);
      check(isSame(await bytesOf(readable), expected), `${size} bytes as a stream in ${JSON.stringify(layout)}`);
    }
  }
}

/** The same packets, opened in both ways, with both kinds of key. */
async function everyPacketOpensInPieces(kunji, vectors) {
  const { recipient, keys } = await prepared(kunji, vectors);
  for (const layout of LAYOUTS) {
    for (const size of SIZES) {
      const content = pattern(size);
      const packet = await kunji.seal(content, recipient, layout, atOnce());
      const source = { size: packet.length, open: () => streamOf(packet, [1, 7, 64, 65, 200]) };
      for (const key of keys) {
        check(isSame(await kunji.open(packet, key, layout, environment()), content), `${size} bytes`);
        for (const input of [packet, new Blob([packet]), source]) {
          const opened = await kunji.openStream(input, key, layout, environment(), new kunji.Watch());
          check(opened.length === size, `${opened.length} bytes were announced`);
          check(isSame(await bytesOf(opened.readable), content), `${size} bytes as a stream`);
        }
      }
    }
  }
}

/** A nonce that leads to this counter block, by the definition of `J0` for 16 bytes, backwards. */
function nonceFor(hashKey, counter) {
  const R = 0xe1n << 120n;
  const multiply = (x, y) => {
    let [product, v] = [0n, y];
    for (let bit = 127n; bit >= 0n; bit--) {
      if ((x >> bit) & 1n) product ^= v;
      v = v & 1n ? (v >> 1n) ^ R : v >> 1n;
    }
    return product;
  };
  const one = 1n << 127n;
  let [inverse, square] = [one, hashKey];
  for (let i = 1; i < 128; i++) {
    square = multiply(square, square);
    inverse = multiply(inverse, square);
  }
  check(multiply(inverse, hashKey) === one, "the inverse is wrong");
  return multiply(multiply(counter, inverse) ^ 128n, inverse);
}

const numberOf = (bytes) => bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
const blockOf = (number) => Uint8Array.from({ length: 16 }, (_, i) => Number((number >> BigInt(120 - 8 * i)) & 255n));

/** The counter's 32 bits run over in the midst of a piece, and between two. */
async function theCounterRunsOver(kunji, vectors) {
  const { recipient, keys } = await prepared(kunji, vectors);
  const random = new Uint8Array(108);
  environment().random(random);
  const key = await crypto.subtle.importKey("raw", random.subarray(0, 32), "AES-CBC", false, ["encrypt"]);
  const zeros = { name: "AES-CBC", iv: new Uint8Array(16) };
  const hashKey = new Uint8Array(await crypto.subtle.encrypt(zeros, key, new Uint8Array(16))).subarray(0, 16);
  for (const low of [0xfffffffen, 0xfffffffbn, 0xfffffff0n]) {
    const counter = (numberOf(pattern(12, 11)) << 32n) | low;
    const layout = { registration: false, salt: blockOf(nonceFor(numberOf(hashKey), counter)), aad: pattern(5) };
    const content = pattern(700);
    const expected = await kunji.seal(
      content,
      recipient,
      layout,
      environment({ subtle: undefined, sealInPiecesFrom: 1e9 }),
    );
    for (const subtle of [undefined, crypto.subtle]) {
      check(isSame(await kunji.seal(content, recipient, layout, environment({ subtle })), expected), `${subtle}`);
    }
    check(isSame(await kunji.open(expected, keys[0], layout, environment()), content), "it does not open");
  }
}

/** No byte of a packet that was altered comes out, wherever it was altered. */
async function whatWasAlteredDoesNotOpen(kunji, vectors) {
  const { recipient, keys } = await prepared(kunji, vectors);
  for (const layout of LAYOUTS.slice(0, 2)) {
    const packet = await kunji.seal(pattern(200), recipient, layout, atOnce());
    for (let place = 0; place < packet.length; place++) {
      const altered = packet.slice();
      altered[place] ^= 1;
      const options = [new Blob([altered]), keys[0], layout, environment(), new kunji.Watch()];
      const outcome = await kunji.openStream(...options).catch((error) => error);
      const start = layout.aad ? 0 : 6;
      if (place >= start && place < start + 32) {
        // Whoever holds the key does not look it up.
        check(outcome.length === 200, `the thumbprint matters at ${place}`);
        continue;
      }
      check(outcome instanceof kunji.KunjiError, `byte ${place}: ${outcome}`);
      const isOpaque = outcome.code === "packet.decryption_failed" && outcome.cause === undefined;
      check(isOpaque || outcome.code === "packet.splitter_missing", `byte ${place}: ${outcome.code}`);
    }
  }
}

/** A source that is another one the second time gives out what was verified, and then fails. */
async function theSecondPassLetsNothingElseOut(kunji, vectors) {
  const { recipient, keys } = await prepared(kunji, vectors);
  const content = pattern(300);
  const packet = await kunji.seal(content, recipient, LAYOUTS[0], atOnce());
  const textStart = packet.length - 300 - 16;
  for (const [second, expected] of [
    [packet.with(textStart, packet[textStart] ^ 1), 0],
    [packet.with(textStart + 130, packet[textStart + 130] ^ 1), 128],
    [packet.slice(0, textStart + 70), 64],
    [packet.slice(0, 3), 0],
    [new Uint8Array(), 0],
  ]) {
    let times = 0;
    const source = { size: packet.length, open: () => streamOf(times++ === 0 ? packet : second, [50]) };
    const options = [source, keys[0], LAYOUTS[0], environment(), new kunji.Watch()];
    const { readable } = await kunji.openStream(...options);
    const reader = readable.getReader();
    let released = 0;
    const outcome = await (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return "the end";
        check(isSame(value, content.subarray(released, released + value.length)), "other content came out");
        released += value.length;
      }
    })().catch((error) => error);
    check(outcome.code === "packet.decryption_failed", `${outcome}`);
    check(released === expected, `${released} bytes came out, not ${expected}`);
  }
}

/** Nothing of keys, hash keys and tags is left in the memory of the module. */
async function nothingOfPiecesIsLeftInMemory(kunji, vectors) {
  const { recipient } = await prepared(kunji, vectors);
  const random = new Uint8Array(108);
  environment().random(random);
  const key = await crypto.subtle.importKey("raw", random.subarray(0, 32), "AES-CBC", false, ["encrypt"]);
  const zeros = { name: "AES-CBC", iv: new Uint8Array(16) };
  const hashKey = new Uint8Array(await crypto.subtle.encrypt(zeros, key, new Uint8Array(16))).subarray(0, 16);
  const content = new TextEncoder().encode("name of a person ".repeat(30));
  for (const subtle of [undefined, crypto.subtle]) {
    await kunji.seal(content, recipient, LAYOUTS[0], environment({ subtle }));
    const memory = await kunji.memoryOf();
    for (const secret of [hashKey, random.subarray(0, 16), content.subarray(0, 32)]) {
      check(!includes(memory, secret), "a secret is left");
    }
  }
}

/** While a packet is made or opened, others come to their turn: what waits for nothing but ciphers must not be one task. */
async function othersComeToTheirTurn(kunji, vectors) {
  const { recipient, keys } = await prepared(kunji, vectors);
  const content = pattern(24 * 1024 * 1024);
  const packet = await atTheirTurn("sealing", () => kunji.encryptPacket(content, recipient));
  const stream = async () => {
    const { readable } = await kunji.decryptPacketStream(packet, keys[0]);
    for (const reader = readable.getReader(); !(await reader.read()).done; );
  };
  await atTheirTurn("opening", stream);
  const { port1, port2 } = new MessageChannel();
  const controller = new AbortController();
  port1.onmessage = () => controller.abort(new Error("no more"));
  port2.postMessage(null);
  const { signal } = controller;
  const outcome = await kunji.encryptPacket(content, recipient, { signal }).catch((error) => error);
  port1.close();
  check(outcome instanceof Error && outcome.message === "no more", "an abort came too late");
}

async function atTheirTurn(what, work) {
  const { port1, port2 } = new MessageChannel();
  let turns = 0;
  port1.onmessage = () => {
    turns += 1;
    port2.postMessage(null);
  };
  port2.postMessage(null);
  const done = await work();
  port1.close();
  check(turns > 1, `${what} let nothing else run`);
  return done;
}

function includes(memory, part) {
  for (let at = memory.indexOf(part[0]); at !== -1; at = memory.indexOf(part[0], at + 1)) {
    if (part.every((byte, index) => memory[at + index] === byte)) return true;
  }
  return false;
}

export const bodies = {
  theBytesAreThoseOfOneShot,
  everyPacketOpensInPieces,
  theCounterRunsOver,
  whatWasAlteredDoesNotOpen,
  theSecondPassLetsNothingElseOut,
  nothingOfPiecesIsLeftInMemory,
  othersComeToTheirTurn,
};
