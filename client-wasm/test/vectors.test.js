// The same bodies in Node and in Chromium, on the build for tests.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root, testing } from "../scripts/paths.js";
import { bodies } from "./bodies/vectors.js";
import { launch, openPage } from "./support/chromium.js";
import { serve } from "./support/server.js";
import { VECTORS, vectors } from "./support/vectors.js";

const CASES = [
  ["theCasesAreThoseKnown", {}],
  ["everyCaseOpensAsExpected", { byWebCrypto: true, usage: "unwrapKey" }],
  ["everyCaseOpensAsExpected", { byWebCrypto: true, usage: "decrypt" }],
  ["everyCaseOpensAsExpected", { byWebCrypto: false, usage: "unwrapKey" }],
  ["everyCaseOpensAsExpected", { byWebCrypto: false, usage: "decrypt" }],
  ["everyGoodCaseIsMadeAgain", { byWebCrypto: true }],
  ["everyGoodCaseIsMadeAgain", { byWebCrypto: false }],
  ["nothingIsLeftInMemory", {}],
  ["nothingIsLeftOnTheStack", {}],
];

describe("vectors in Node", () => {
  const kunji = createRequire(import.meta.url)(join(testing, "node.cjs"));
  for (const [name, options] of CASES) {
    test(`${name} ${JSON.stringify(options)}`, () => bodies[name](kunji, vectors, options));
  }
});

describe("vectors in Chromium", () => {
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
    import("/bodies/vectors.js"),
    fetch("/vectors.json").then((response) => response.json()),
  ]);
  await bodies[name](kunji, vectors, options);
}
