// What a worker has to do as the package does it in the page. Runs in a page.

const MIB = 1024 * 1024;
const OAEP = { name: "RSA-OAEP", hash: "SHA-256" };

function check(holds, what) {
  if (!holds) throw new Error(what);
}

const bytes = (length) => Uint8Array.from({ length }, (_, index) => (index * 31) % 251);
const isSame = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);
/** Not by a `Response`, which has an error of its own. */
const collect = async (readable) => {
  const parts = [];
  const reader = readable.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) parts.push(read.value);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
};
const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
};

async function surroundings(kunji, PacketWorker, { pem, privateKeyPem }) {
  const base64 = privateKeyPem.replaceAll(/-----.*?-----|\s/g, "");
  const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return {
    kunji,
    worker: new PacketWorker(),
    recipient: await kunji.parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01T00:00:00Z") }),
    key: await crypto.subtle.importKey("pkcs8", der, OAEP, false, ["unwrapKey"]),
  };
}

async function everyFunctionWorks({ kunji, worker, recipient, key }) {
  const content = bytes(3 * MIB + 5);
  const options = { salt: bytes(64).subarray(20, 36), aad: bytes(9) };
  const packet = await worker.encryptPacket(content, recipient, options);
  check(packet instanceof Uint8Array, "the packet is of another type");
  check(isSame(await kunji.decryptPacket(packet, key, options), content), "a packet with salt");
  check(isSame(await worker.decryptPacket(packet, key, options), content), "opened with salt");
  const registration = await worker.encryptRegistrationPacket(content, recipient);
  check(isSame(await kunji.decryptRegistrationPacket(registration, key), content), "a registration packet");
  check(isSame(await worker.decryptRegistrationPacket(registration, key), content), "an opened registration packet");
  const stream = await worker.encryptPacketStream(content, recipient, { registration: true });
  const collected = await collect(stream.readable);
  check(collected.length === stream.length && stream.length === registration.length, "its length is another");
  const opened = await worker.decryptPacketStream(new Blob([collected]), key, { registration: true });
  check(opened.length === content.length, "the length of the content");
  check(isSame(await collect(opened.readable), content), "a registration packet as a stream");
}

async function everyInputCanBeHandedOver({ kunji, worker, recipient, key }) {
  const text = "Asha Ümit Devi";
  const content = new TextEncoder().encode(text);
  const whole = new Uint8Array(content.length + 20);
  whole.set(content, 10);
  const shared = new Uint8Array(new Uint8Array(content).buffer);
  const inputs = [text, content, shared.buffer, whole.subarray(10, -10), new Blob([text]), new File([text], "a")];
  inputs.push(new Blob([text]).stream());
  for (const input of inputs) {
    const packet = await worker.encryptPacket(input, recipient);
    check(isSame(await kunji.decryptPacket(packet, key), content), `${Object.prototype.toString.call(input)}`);
  }
  const packet = await worker.encryptPacket(text, recipient);
  let opened = 0;
  const source = {
    size: packet.length,
    open() {
      opened += 1;
      return new Blob([packet]).stream();
    },
  };
  const { readable } = await worker.decryptPacketStream(source, key);
  check(isSame(await collect(readable), content) && opened === 2, `a source that was opened ${opened} times`);
}

async function nothingIsDoneInThePage({ worker, recipient, key }) {
  for (const name of ["encrypt", "decrypt", "importKey", "unwrapKey"]) {
    SubtleCrypto.prototype[name] = () => {
      throw new Error(`${name} in the page`);
    };
  }
  const content = bytes(5 * MIB);
  const calls = [1, 2, 3].map(() => worker.encryptPacket(content, recipient));
  for (const packet of await Promise.all(calls)) {
    check(isSame(await worker.decryptPacket(packet, key), content), "it does not open");
  }
}

async function bytesAreHandedOverOnlyOnRequest({ worker, recipient }) {
  const content = bytes(100_000);
  await worker.encryptPacket(content, recipient);
  check(content.length === 100_000, "bytes were taken");
  const calls = [content, content.slice().buffer].map((data) => {
    const packet = worker.encryptPacket(data, recipient, { transfer: true });
    check(data.byteLength === 0, "bytes stayed");
    return packet;
  });
  for (const packet of await Promise.all(calls)) check(packet.length === 100_000 + 362 - 44 + 38, `${packet.length}`);
  check((await failure(worker.encryptPacket(content, recipient))).code === "input.type", "bytes that are gone");
  // A part that others have too stays what it is.
  const part = bytes(5000);
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(part);
      controller.close();
    },
  });
  await worker.encryptPacket(stream, recipient);
  check(part.length === 5000, "a part was taken");
}

async function progressIsTold({ worker, recipient, key }) {
  const content = bytes(3 * MIB);
  const told = [];
  const onProgress = (progress) => told.push(progress);
  const packet = await worker.encryptPacket(content, recipient, { onProgress });
  check(told.length > 2 && told.at(-1).bytes === content.length && told.at(-1).total === content.length, "encrypting");
  await worker.decryptPacket(packet, key, { onProgress });
  check(told.at(-1).bytes === packet.length, "opening");
  const error = await failure(
    worker.encryptPacket(content, recipient, {
      onProgress() {
        throw new RangeError("of the caller");
      },
    }),
  );
  check(error instanceof RangeError, `${error}`);
  await worker.encryptPacket("text", recipient);
}

async function anAbortedCallEndsEverywhere({ worker, recipient }) {
  const reason = new Error("of the caller");
  check(
    (await failure(worker.encryptPacket("a", recipient, { signal: AbortSignal.abort(reason) }))) === reason,
    "before",
  );
  for (const start of ["encryptPacket", "encryptPacketStream"]) {
    const controller = new AbortController();
    let cancelled;
    const source = new ReadableStream(
      {
        pull: (stream) => stream.enqueue(new Uint8Array(100_000)),
        cancel(given) {
          cancelled = given;
        },
      },
      { highWaterMark: 0 },
    );
    let bytes = 0;
    const onProgress = (progress) => {
      bytes = progress.bytes;
      if (bytes > 2 * MIB) controller.abort(reason);
    };
    const made = worker[start](source, recipient, { signal: controller.signal, onProgress });
    check((await failure(made.then(({ readable }) => collect(readable)))) === reason, start);
    check(cancelled === reason, "the source was not told");
    const before = bytes;
    await worker.encryptPacket("text", recipient);
    check(bytes === before, "it went on");
  }
}

async function aStreamEndsWithItsReader({ worker, recipient }) {
  const state = { pulled: 0 };
  const cancelled = new Promise((resolve) => {
    state.stream = new ReadableStream(
      {
        pull(stream) {
          state.pulled += 1;
          stream.enqueue(new Uint8Array(MIB));
        },
        cancel: resolve,
      },
      { highWaterMark: 0 },
    );
  });
  const { readable, length } = await worker.encryptPacketStream(state.stream, recipient);
  check(length === undefined, "a length that nobody knows");
  const reader = readable.getReader();
  for (let i = 0; i < 4; i++) await reader.read();
  check(state.pulled < 6, `${state.pulled} parts were read for four`);
  const reason = new Error("of the reader");
  await reader.cancel(reason);
  check((await cancelled) === reason, "the source was told something else");
}

async function failuresAreThoseOfThePackage({ kunji, worker, recipient, key }) {
  const packet = await worker.encryptPacket("text", recipient);
  packet[packet.length - 1] ^= 1;
  const broken = () => new ReadableStream({ start: (controller) => controller.error(new RangeError("of the source")) });
  const numbers = () => new ReadableStream({ start: (controller) => controller.enqueue(5) });
  const locked = new Blob(["text"]).stream();
  locked.getReader();
  const cases = [
    ["packet.decryption_failed", () => worker.decryptPacket(packet, key)],
    ["packet.empty_content", () => worker.encryptPacket("", recipient)],
    ["packet.salt_length", () => worker.encryptPacket("a", recipient, { salt: new Uint8Array(65) })],
    ["packet.splitter_missing", () => worker.decryptPacket(new Uint8Array(400), key)],
    ["input.key", () => worker.decryptPacket(packet, {})],
    ["input.type", () => worker.encryptPacket(5, recipient)],
    ["input.type", () => worker.encryptPacket("\ud800", recipient)],
    ["input.type", () => worker.encryptPacket("a", recipient, { salt: "b" })],
    ["input.type", () => worker.encryptPacket("a", recipient, { signal: 5 })],
    ["input.type", () => worker.encryptPacket("a", recipient, { onProgress: 5 })],
    ["input.type", () => worker.encryptPacket("a", recipient, null)],
    ["input.type", () => worker.decryptPacket(packet, key, null)],
    ["input.type", () => worker.decryptPacket(packet, () => {})],
    ["input.type", () => worker.encryptPacket(numbers(), recipient)],
    ["input.type", () => worker.encryptPacket(locked, recipient)],
    ["input.type", () => worker.encryptPacketStream("a", recipient, { registration: true, salt: new Uint8Array(12) })],
    ["input.unreadable", () => worker.encryptPacket(broken(), recipient)],
    ["input.unreadable", () => worker.decryptPacketStream({ size: 400, open: broken }, key)],
    [
      "input.unreadable",
      () => worker.decryptPacketStream({ size: 400, open: () => Promise.reject(new Error("no")) }, key),
    ],
  ];
  for (const [code, call] of cases) {
    const error = await failure(call());
    check(error instanceof kunji.KunjiError && error.name === "KunjiError", `${code}: ${error}`);
    check(error.code === code, `${error.code} instead of ${code}: ${error.message}`);
    check(error.message !== "" && error.hint !== "", code);
  }
  const { cause } = await failure(worker.encryptPacket(broken(), recipient));
  check(cause instanceof RangeError && cause.message === "of the source", `${cause}`);
}

async function onlyCheckedRecipientsAreEncryptedFor({ worker, recipient, kunji }) {
  const imitation = Object.create(kunji.Recipient?.prototype ?? Object.getPrototypeOf(recipient));
  Object.defineProperty(imitation, "pem", { value: recipient.pem });
  for (const other of [imitation, { ...recipient }, recipient.pem, undefined]) {
    check((await failure(worker.encryptPacket("a", other))).code === "input.type", "one that nobody checked");
  }
}

async function aClosedOneDoesNothing({ worker, recipient }) {
  let cancelled;
  const source = new ReadableStream({
    cancel(reason) {
      cancelled = reason;
    },
  });
  const waiting = worker.encryptPacket(source, recipient);
  const { readable } = await worker.encryptPacketStream(new Uint8Array(5 * MIB), recipient);
  waiting.catch(() => {});
  worker.close();
  for (const call of [() => waiting, () => collect(readable), () => worker.encryptPacket("a", recipient)]) {
    check((await failure(call())).code === "runtime.closed", "it did something");
  }
  check(cancelled?.code === "runtime.closed", "the source was not told");
}

async function failureAndAnother({ worker, recipient }) {
  const codes = [];
  for (let i = 0; i < 2; i++) codes.push((await failure(worker.encryptPacket("a", recipient))).code);
  return codes;
}

const all = {
  everyFunctionWorks,
  everyInputCanBeHandedOver,
  nothingIsDoneInThePage,
  bytesAreHandedOverOnlyOnRequest,
  progressIsTold,
  anAbortedCallEndsEverywhere,
  aStreamEndsWithItsReader,
  failuresAreThoseOfThePackage,
  onlyCheckedRecipientsAreEncryptedFor,
  aClosedOneDoesNothing,
  failureAndAnother,
};

export const bodies = Object.fromEntries(
  Object.entries(all).map(([name, body]) => [
    name,
    async (kunji, PacketWorker, given) => await body(await surroundings(kunji, PacketWorker, given)),
  ]),
);
