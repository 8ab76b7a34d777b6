// Bodies of tests that run in Node and in browsers, on the build for tests.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root, testing } from "../../scripts/paths.js";
import { launch, openPage } from "./chromium.js";
import { serve } from "./server.js";
import { VECTORS, vectors } from "./vectors.js";

/** Body and options, by file. */
export const CASES = {
  layouts: [
    ["everyLayoutIsMadeAgainAndOpens", { byWebCrypto: true }],
    ["everyLayoutIsMadeAgainAndOpens", { byWebCrypto: false }],
  ],
  pieces: [
    ["theBytesAreThoseOfOneShot", { byWebCrypto: true }],
    ["theBytesAreThoseOfOneShot", { byWebCrypto: false }],
    ["everyPacketOpensInPieces", {}],
    ["theCounterRunsOver", {}],
    ["whatWasAlteredDoesNotOpen", {}],
    ["theSecondPassLetsNothingElseOut", {}],
    ["nothingOfPiecesIsLeftInMemory", {}],
    ["othersComeToTheirTurn", {}],
  ],
  vectors: [
    ["theCasesAreThoseKnown", {}],
    ["everyCaseOpensAsExpected", { byWebCrypto: true, usage: "unwrapKey" }],
    ["everyCaseOpensAsExpected", { byWebCrypto: true, usage: "decrypt" }],
    ["everyCaseOpensAsExpected", { byWebCrypto: false, usage: "unwrapKey" }],
    ["everyCaseOpensAsExpected", { byWebCrypto: false, usage: "decrypt" }],
    ["everyGoodCaseIsMadeAgain", { byWebCrypto: true }],
    ["everyGoodCaseIsMadeAgain", { byWebCrypto: false }],
    ["nothingIsLeftInMemory", {}],
    ["nothingIsLeftOnTheStack", {}],
  ],
};

/** Bodies of the worker, in any page that has the published files. */
export const WORKER_CASES = [
  "everyFunctionWorks",
  "everyInputCanBeHandedOver",
  "nothingIsDoneInThePage",
  "bytesAreHandedOverOnlyOnRequest",
  "progressIsTold",
  "anAbortedCallEndsEverywhere",
  "aStreamEndsWithItsReader",
  "failuresAreThoseOfThePackage",
  "onlyCheckedRecipientsAreEncryptedFor",
  "aClosedOneDoesNothing",
];

export const kunji = createRequire(import.meta.url)(join(testing, "node.cjs"));

/** What a page needs to run them. */
export const ROUTES = {
  "/testing/": `${testing}/`,
  "/bodies/": `${join(root, "test/bodies")}/`,
  "/vectors.json": VECTORS,
};

export const titleOf = (name, options) => `${name} ${JSON.stringify(options)}`;

/** The cases of a file in Node, and each in a page of its own in Chromium. */
export function describeBodies(file) {
  describe(`${file} in Node`, () => {
    for (const [name, options] of CASES[file]) {
      test(titleOf(name, options), async () => {
        const { bodies } = await import(`../bodies/${file}.js`);
        await bodies[name](kunji, vectors, options);
      });
    }
  });

  describe(`${file} in Chromium`, () => {
    let browser;
    let server;
    before(async () => {
      server = await serve(ROUTES);
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });
    for (const [name, options] of CASES[file]) {
      test(titleOf(name, options), async () => {
        const { page, faults, close } = await openPage(browser, server.url);
        await page.evaluate(runBody, { file, name, options });
        assert.deepEqual(faults, []);
        await close();
      });
    }
  });
}

/** Runs a case, in a page. */
export async function runBody({ file, name, options }) {
  const [kunji, { bodies }, vectors] = await Promise.all([
    import("/testing/browser.js"),
    import(`/bodies/${file}.js`),
    fetch("/vectors.json").then((response) => response.json()),
  ]);
  await bodies[name](kunji, vectors, options);
}

/** Runs a body of the worker, in a page; what it returns. */
export async function runInWorker({ name, given }) {
  const [kunji, { PacketWorker }, { bodies }] = await Promise.all([
    import("/client/browser.js"),
    import("/client/worker.js"),
    import("/bodies/worker.js"),
  ]);
  return await bodies[name](kunji, PacketWorker, given);
}
