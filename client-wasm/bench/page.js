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
