// Which certificates may be encrypted for, through the package as it is published.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { parseRecipient, Recipient } from "@kunji/client";
import { failure } from "./support/failure.js";
import { certificates } from "./support/vectors.js";

const NOW = new Date("2026-01-15T00:00:00Z");

const parse = (leaf, chain, anchors, now = NOW) =>
  parseRecipient([leaf, ...chain].map((title) => certificates[title]).join("\n"), {
    anchors: anchors.map((title) => certificates[title]),
    now,
  });

test("a recipient says what is in its certificate", async () => {
  const recipient = await parse("base", ["module"], ["root"]);
  assert.ok(recipient instanceof Recipient);
  assert.match(recipient.thumbprint, /^[0-9a-f]{64}$/);
  assert.equal(recipient.subject, "CN=Base,O=Test\\, Org,C=IN");
  assert.equal(recipient.notBefore.toISOString(), "2026-01-01T00:00:00.000Z");
  assert.equal(recipient.notAfter.toISOString(), "2035-12-30T00:00:00.000Z");
  assert.equal(recipient.modulusLength, 2048);
  assert.equal(recipient.pem, certificates.base);
  assert.equal((await parse("self_rsa4096", [], ["self_rsa4096"])).modulusLength, 4096);
});

test("a recipient cannot be changed", async () => {
  const recipient = await parse("base", ["module"], ["root"]);
  assert.throws(() => {
    recipient.thumbprint = "0";
  }, TypeError);
  recipient.notAfter.setFullYear(1999);
  assert.equal(recipient.notAfter.getFullYear(), 2035);
});

test("an anchor may hold several certificates, and there may be many", async () => {
  const anchors = [certificates.elliptic_root + certificates.root_of_same_name, certificates.root];
  const pem = certificates.base + certificates.module;
  assert.equal((await parseRecipient(pem, { anchors, now: NOW })).modulusLength, 2048);
  const many = [...Array(30).fill(certificates.root_of_same_name), certificates.root];
  assert.equal((await parseRecipient(pem, { anchors: many, now: NOW })).modulusLength, 2048);
});

const REFUSED = [
  ["recipient.untrusted", "base", [], ["root"]],
  ["recipient.untrusted", "base", ["module"], ["long_root"]],
  ["recipient.signature", "base_forged", ["module"], ["root"]],
  ["recipient.expired", "base", ["module"], ["root"], new Date("2040-01-01")],
  ["recipient.not_yet_valid", "base", ["module"], ["root"], new Date("2025-12-31")],
  ["recipient.issuer_expired", "base_of_short", ["module_short"], ["root"], new Date("2026-06-01")],
  ["recipient.key_usage", "base_signing", ["module"], ["root"]],
  ["recipient.key_unsupported", "self_elliptic", [], ["self_elliptic"]],
  ["recipient.key_unsupported", "self_rsa1024", [], ["self_rsa1024"]],
  ["recipient.critical_extension", "base_critical_extension", ["module"], ["root"]],
  ["recipient.issuer_not_authority", "base_of_not_authority", ["not_authority"], ["root"]],
  ["recipient.path_length", "base_below_tight_root", ["module_of_tight_root"], ["tight_root"]],
];

for (const [code, leaf, chain, anchors, now] of REFUSED) {
  test(`${leaf} is refused: ${code}`, async () => {
    assert.equal((await failure(parse(leaf, chain, anchors, now))).code, code);
  });
}

test("text that is no certificate is refused", async () => {
  const options = { anchors: [certificates.root], now: NOW };
  const code = async (pem) => (await failure(parseRecipient(pem, options))).code;
  assert.equal(await code("no certificate"), "pem.missing");
  assert.equal(await code(certificates.base.slice(0, 500)), "pem.damaged");
  assert.equal(await code(" ".repeat(300_000)), "pem.too_large");
  assert.equal(await code(certificates.base.repeat(40)), "pem.too_large");
  const noCertificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  assert.equal(await code(noCertificate), "certificate.malformed");
});

test("without a good anchor nothing is trusted", async () => {
  const code = async (anchors) => (await failure(parseRecipient(certificates.base, { anchors, now: NOW }))).code;
  assert.equal(await code([]), "anchors.missing");
  assert.equal(await code(["no certificate"]), "anchors.malformed");
  assert.equal(await code([certificates.root, "no certificate"]), "anchors.malformed");
});

test("options are those of the call, of whichever realm they are", async () => {
  const anchors = runInNewContext("[root]", { root: certificates.root });
  const now = runInNewContext("new Date(time)", { time: NOW.getTime() });
  const parsing = parseRecipient(certificates.base + certificates.module, { anchors, now });
  anchors[0] = 5;
  now.setTime(Number.NaN);
  assert.equal((await parsing).pem, certificates.base);
});

test("values of other types are refused", async () => {
  const anchors = [certificates.root];
  for (const [pem, options] of [
    [undefined, { anchors }],
    [new Uint8Array(3), { anchors }],
    [certificates.base, undefined],
    [certificates.base, {}],
    [certificates.base, { anchors: certificates.root }],
    [certificates.base, { anchors: [1] }],
    // A sparse array.
    [certificates.base, { anchors: Object.assign(new Array(2), anchors) }],
    [certificates.base, { anchors, now: 5 }],
    [certificates.base, { anchors, now: { [Symbol.toStringTag]: "Date", getTime: () => 0 } }],
    [certificates.base, { anchors, now: new Date("never") }],
  ]) {
    assert.equal((await failure(parseRecipient(pem, options))).code, "input.type");
  }
});
