// Packets made and opened in pieces: the same bodies in Node and in Chromium, on the build for tests, and properties.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { root, testing } from "../scripts/paths.js";
import { bodies, environment } from "./bodies/pieces.js";
import { launch, openPage } from "./support/chromium.js";
import { serve } from "./support/server.js";
import { recipients, VECTORS, vectors } from "./support/vectors.js";

const CASES = [
  ["theBytesAreThoseOfOneShot", { byWebCrypto: true }],
  ["theBytesAreThoseOfOneShot", { byWebCrypto: false }],
  ["everyPacketOpensInPieces", {}],
  ["theCounterRunsOver", {}],
  ["whatWasAlteredDoesNotOpen", {}],
  ["theSecondPassLetsNothingElseOut", {}],
  ["nothingOfPiecesIsLeftInMemory", {}],
];

const kunji = createRequire(import.meta.url)(join(testing, "node.cjs"));

describe("pieces in Node", () => {
  for (const [name, options] of CASES) {
    test(`${name} ${JSON.stringify(options)}`, () => bodies[name](kunji, vectors, options));
  }

  test("any content, in any chunks and pieces, is the packet of one shot", async () => {
    const { certificate_pem: pem } = recipients.rsa2048;
    const recipient = await kunji.parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
    const bytes = (minLength, maxLength) => fc.uint8Array({ minLength, maxLength });
    const layouts = fc.oneof(
      fc.constant({ registration: true }),
      fc.record({ registration: fc.constant(false), salt: fc.option(bytes(1, 64), { nil: undefined }) }),
      fc.record({
        registration: fc.constant(false),
        salt: fc.option(bytes(12, 12), { nil: undefined }),
        aad: bytes(0, 50),
      }),
    );
    const property = fc.asyncProperty(
      fc.array(bytes(0, 300), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 20 }),
      layouts,
      bytes(108, 108),
      async (chunks, blocks, layout, random) => {
        const content = Buffer.concat(chunks);
        fc.pre(content.length > 0);
        const others = { pieceBytes: 16 * blocks, random: (target) => target.set(random) };
        const atOnce = { ...others, subtle: undefined, sealInPiecesFrom: Number.POSITIVE_INFINITY };
        const expected = await kunji.seal(content, recipient, layout, environment(atOnce));
        const packet = await kunji.seal(ReadableStream.from(chunks), recipient, layout, environment(others));
        assert.deepEqual(packet, expected);
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });
});

describe("pieces in Chromium", () => {
  let browser;
  let server;
  before(async () => {
    server = await serve({
      "/testing/": `${testing}/`,
      "/bodies/": `${join(root, "test/bodies")}/`,
      "/vectors.json": VECTORS,
    });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  for (const [name, options] of CASES) {
    test(`${name} ${JSON.stringify(options)}`, async () => {
      const { page, faults, close } = await openPage(browser, server.url);
      await page.evaluate(runBody, { name, options });
      assert.deepEqual(faults, []);
      await close();
    });
  }
});

async function runBody({ name, options }) {
  const [kunji, { bodies }, vectors] = await Promise.all([
    import("/testing/browser.js"),
    import("/bodies/pieces.js"),
    fetch("/vectors.json").then((response) => response.json()),
  ]);
  await bodies[name](kunji, vectors, options);
}
