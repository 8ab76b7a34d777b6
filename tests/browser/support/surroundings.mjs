// What the tests are told by their surroundings: a running server, and clients of it.
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests are started by tests/tests/browser.rs`);
  return value;
}

/** `http://address` of a server with the inbox on, whose demo certificate has been made. */
export const serverUrl = required("KUNJI_URL");

/** Origins that the server lets read public certificates; nothing listens there. One for each file that needs one: files run at once. */
export const [packageOrigin, exampleOrigin] = required("OTHER_ORIGINS").split(" ");

/** A client with the roles `decryptor` and `signer`. */
export const reviewer = { id: required("REVIEWER_ID"), secret: required("REVIEWER_SECRET") };

/** A client with the role `decryptor` only. */
export const reader = { id: required("READER_ID"), secret: required("READER_SECRET") };

/** A client with the role `encryptor` only. */
export const clerk = { id: required("CLERK_ID"), secret: required("CLERK_SECRET") };

/** The browser. */
export const chromiumPath = process.env.CHROMIUM || "/usr/bin/chromium";

const screenshots = process.env.SCREENSHOTS || join(tmpdir(), "kunji-demo-screenshots");
mkdirSync(screenshots, { recursive: true });

/** Where the picture of this name goes. Nothing reads the pictures but people. */
export function screenshotPath(name) {
  return join(screenshots, `${name}.png`);
}
