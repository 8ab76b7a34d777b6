// The figures of the package in Chromium. `npm run bench`

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { pkg, root, testing } from "../scripts/paths.js";
import { launch, openPage } from "../test/support/chromium.js";
import { serve } from "../test/support/server.js";
import { recipients } from "../test/support/vectors.js";

const KIB = 1024;
const { certificate_pem: pem } = recipients.rsa2048;

const server = await serve({ "/client/": `${pkg}/`, "/testing/": `${testing}/`, "/bench/": `${join(root, "bench")}/` });
const browser = await launch();
try {
  for (const file of readdirSync(pkg).filter((name) => /\.(wasm|js)$/.test(name))) {
    const bytes = readFileSync(join(pkg, file));
    console.log(`${file}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
  }
  const cold = [];
  for (let i = 0; i < 7; i++) cold.push(await inPage(firstPacket));
  cold.sort((a, b) => a - b);
  console.log(
    `first packet of 100 KiB, cold: ${cold[3].toFixed(1)} ms (${cold[0].toFixed(1)} to ${cold[6].toFixed(1)})`,
  );
  for (const [mebibytes, rounds] of [
    [1, 101],
    [4, 101],
    [16, 31],
  ]) {
    const { bare, ours, ratio } = await inPage(against, { bytes: mebibytes * KIB * KIB, rounds });
    console.log(
      `${mebibytes} MiB: WebCrypto ${bare.toFixed(2)} ms, encryptPacket ${ours.toFixed(2)} ms, ratio ${ratio.toFixed(2)}`,
    );
  }
  for (const [mebibytes, rounds] of [
    [4, 31],
    [64, 11],
  ]) {
    for (const { name, time, block } of await inPage(worker, { bytes: mebibytes * KIB * KIB, rounds })) {
      console.log(`${mebibytes} MiB, ${name}: ${time.toFixed(1)} ms, longest block of the page ${block.toFixed(1)} ms`);
    }
  }
  const { bare, ours, ratio } = await inPage(stream);
  console.log(
    `1 GiB as a stream: ${ours.toFixed(0)} MiB/s, bare WebCrypto on 256 MiB at once ${bare.toFixed(0)} MiB/s, ratio ${ratio.toFixed(2)}`,
  );
  for (const { bytes, web, rust } of await inPage(crossover)) {
    console.log(`${bytes} bytes: by WebCrypto ${web.toFixed(2)} ms, by WebAssembly ${rust.toFixed(2)} ms`);
  }
} finally {
  await browser.close();
  await server.close();
}

async function inPage(body, options = {}) {
  const { page, close } = await openPage(browser, server.url);
  try {
    return await page.evaluate(body, { pem, ...options });
  } finally {
    await close();
  }
}

async function firstPacket({ pem }) {
  const { firstPacket } = await import("/bench/page.js");
  return await firstPacket("/client/browser.js", pem, [pem], 100 * 1024);
}

async function against({ pem, bytes, rounds }) {
  const [{ againstWebCrypto }, kunji] = await Promise.all([import("/bench/page.js"), import("/client/browser.js")]);
  const recipient = await kunji.parseRecipient(pem, { anchors: [pem] });
  return await againstWebCrypto(kunji, recipient, bytes, rounds);
}

async function worker({ pem, bytes, rounds }) {
  const [{ againstWorker }, kunji, threads] = await Promise.all(
    ["/bench/page.js", "/client/browser.js", "/client/worker.js"].map((address) => import(address)),
  );
  return await againstWorker(kunji, threads, await kunji.parseRecipient(pem, { anchors: [pem] }), bytes, rounds);
}

async function stream({ pem }) {
  const [{ streamed }, kunji] = await Promise.all([import("/bench/page.js"), import("/client/browser.js")]);
  return await streamed(kunji, await kunji.parseRecipient(pem, { anchors: [pem] }), 1024, 256);
}

async function crossover({ pem }) {
  const [{ crossover }, kunji] = await Promise.all([import("/bench/page.js"), import("/testing/browser.js")]);
  const recipient = await kunji.parseRecipient(pem, { anchors: [pem] });
  const sizes = [64, 1024, 4096, 8192, 16384, 32768, 65536, 262144];
  return await crossover(kunji, recipient, sizes, 51);
}
