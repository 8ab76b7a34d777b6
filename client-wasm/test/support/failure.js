import assert from "node:assert/strict";
import { KunjiError } from "@kunji/client";

/** What the promise fails with: an error of the package, which says what to do. */
export async function failure(promise) {
  const error = await promise.then(
    () => assert.fail("it did not fail"),
    (error) => error,
  );
  assert.ok(error instanceof KunjiError, String(error));
  assert.equal(error.name, "KunjiError");
  assert.notEqual(error.hint, "", error.code);
  assert.doesNotMatch(error.message, /; /);
  return error;
}

export const code = async (promise) => (await failure(promise)).code;
