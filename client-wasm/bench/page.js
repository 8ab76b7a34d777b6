// Runs in the page. Every figure is a time in milliseconds, or a ratio of times taken in turns.

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** `encryptPacket` against bare AES-GCM of the same bytes: the same key, nothing around it. */
export async function againstWebCrypto(kunji, recipient, bytes, rounds) {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(data.subarray(at, at + 65536));
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const bare = () =>
    crypto.subtle.encrypt({ name: "AES-GCM", iv: crypto.getRandomValues(new Uint8Array(12)) }, key, data);
  const ours = () => kunji.encryptPacket(data, recipient);
  for (let i = 0; i < 5; i++) {
    await bare();
    await ours();
  }
  const times = { bare: [], ours: [] };
  for (let i = 0; i < rounds; i++) {
    times.bare.push(await timed(bare));
    times.ours.push(await timed(ours));
  }
  const [bareTime, ourTime] = [median(times.bare), median(times.ours)];
  return { bare: bareTime, ours: ourTime, ratio: bareTime / ourTime };
}

/** Both ways of sealing, for the size from which WebCrypto is worth its calls. */
export async function crossover(kunji, recipient, sizes, rounds) {
  const layout = { registration: false, salt: undefined, aad: undefined };
  const environment = (webCryptoFrom) => ({
    subtle: crypto.subtle,
    random: (bytes) => crypto.getRandomValues(bytes),
    splitter: undefined,
    webCryptoFrom,
  });
  const [web, rust] = [environment(0), environment(Number.POSITIVE_INFINITY)];
  const rows = [];
  for (const bytes of sizes) {
    const data = new Uint8Array(bytes);
    const times = { web: [], rust: [] };
    for (let i = 0; i < rounds; i++) {
      times.web.push(await timed(() => kunji.seal(data, recipient, layout, web)));
      times.rust.push(await timed(() => kunji.seal(data, recipient, layout, rust)));
    }
    rows.push({ bytes, web: median(times.web), rust: median(times.rust) });
  }
  return rows;
}

/** From nothing to a packet: script, WebAssembly, check of the certificate, encryption. */
export async function firstPacket(address, pem, anchors, bytes) {
  const start = performance.now();
  const kunji = await import(address);
  const recipient = await kunji.parseRecipient(pem, { anchors });
  await kunji.encryptPacket(new Uint8Array(bytes), recipient);
  return performance.now() - start;
}

/** Gives the same mebibyte over and over. */
function source(mebibytes, part) {
  let left = mebibytes;
  return new ReadableStream(
    { pull: (controller) => (left-- > 0 ? controller.enqueue(part) : controller.close()) },
    { highWaterMark: 0 },
  );
}

async function drain(readable) {
  let bytes = 0;
  for (const reader = readable.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return bytes;
    bytes += value.length;
  }
}

/** A stream of `mebibytes` against bare AES-GCM of `atOnce` mebibytes in one shot, in mebibytes a second. */
export async function streamed(kunji, recipient, mebibytes, atOnce) {
  const part = crypto.getRandomValues(new Uint8Array(65536));
  const piece = new Uint8Array(1024 * 1024);
  for (let at = 0; at < piece.length; at += part.length) piece.set(part, at);
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const data = new Uint8Array(atOnce * piece.length).fill(7);
  const bare = () =>
    crypto.subtle.encrypt({ name: "AES-GCM", iv: crypto.getRandomValues(new Uint8Array(12)) }, key, data);
  const speeds = { bare: [], ours: [] };
  for (let i = 0; i < 3; i++) {
    speeds.bare.push(atOnce / ((await timed(bare)) / 1000));
    const ours = async () => drain((await kunji.encryptPacketStream(source(mebibytes, piece), recipient)).readable);
    speeds.ours.push(mebibytes / ((await timed(ours)) / 1000));
  }
  const [bareSpeed, ourSpeed] = [median(speeds.bare), median(speeds.ours)];
  return { bare: bareSpeed, ours: ourSpeed, ratio: ourSpeed / bareSpeed };
}

/** The longest time, in milliseconds, for which the page could do nothing else while `work` was under way. */
async function longestBlock(work) {
  const { port1, port2 } = new MessageChannel();
  let last = performance.now();
  let longest = 0;
  port1.onmessage = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    port2.postMessage(null);
  };
  port2.postMessage(null);
  await work();
  // The last block may be under way.
  await new Promise((resolve) => setTimeout(resolve));
  port1.close();
  return longest;
}

/** The page's own thread against the worker, on bytes in memory and on a file: times, and then how long the page stood still. */
export async function againstWorker(kunji, { PacketWorker }, recipient, bytes, rounds) {
  const data = new Uint8Array(bytes).fill(7);
  const file = new File([data], "photo");
  const worker = new PacketWorker();
  const ways = {
    "bytes, in the page": () => kunji.encryptPacket(data, recipient),
    "bytes, in the worker": () => worker.encryptPacket(data, recipient),
    "a file, in the page": () => kunji.encryptPacket(file, recipient),
    "a file, in the worker": () => worker.encryptPacket(file, recipient),
  };
  const taken = Object.entries(ways).map(([name, work]) => ({ name, work, times: [], blocks: [] }));
  for (const { work } of taken) await work();
  for (let i = 0; i < rounds; i++) {
    for (const { work, times } of taken) times.push(await timed(work));
  }
  // Apart from the times, which the watching would lengthen.
  for (let i = 0; i < rounds; i++) {
    for (const { work, blocks } of taken) blocks.push(await longestBlock(work));
  }
  worker.close();
  return taken.map(({ name, times, blocks }) => ({ name, time: median(times), block: median(blocks) }));
}
