// Packets made and opened in pieces: the same bodies in Node and in Chromium, and properties.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { environment } from "./bodies/pieces.js";
import { describeBodies, kunji } from "./support/bodies.js";
import { recipients } from "./support/vectors.js";

describeBodies("pieces");

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
