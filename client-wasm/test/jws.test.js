// Signatures of an independent implementation, verified in Node and in Chromium.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { KunjiError } from "@kunji/client";
import { verifyJws } from "@kunji/client/jws";
import { pkg, root } from "../scripts/paths.js";
import { launch, openPage } from "./support/chromium.js";
import { failure } from "./support/failure.js";
import { runPython } from "./support/python.js";
import { serve } from "./support/server.js";

const made = JSON.parse(runPython(join(root, "test/independent/sign_jws.py")));
const payload = Buffer.from(made.payload, "base64url");
const anchors = [made.root];
const ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"];

const code = async (...parameters) => (await failure(verifyJws(...parameters))).code;

for (const algorithm of ALGORITHMS) {
  const signer = made.signers[algorithm];

  test(`${algorithm} in every form`, async () => {
    for (const form of ["whole", "pem", "lines", "url"]) {
      const verified = await verifyJws(signer[form], { anchors });
      assert.ok(Buffer.from(verified.payload).equals(payload), form);
      assert.equal(verified.header.alg, algorithm);
      assert.equal(verified.signer.subject, `CN=${algorithm}`);
      assert.equal(verified.signer.pem, signer.certificate);
      assert.match(verified.signer.thumbprint, /^[0-9a-f]{64}$/);
      assert.ok(verified.signer.notBefore < verified.signer.notAfter);
    }
    for (const form of ["detached", "raw"]) {
      for (const given of [payload, payload.toString(), new Blob([payload])]) {
        const verified = await verifyJws(signer[form], { anchors, payload: given });
        assert.ok(Buffer.from(verified.payload).equals(payload), form);
      }
      assert.equal(await code(signer[form], { anchors, payload: "another" }), "jws.signature");
      assert.equal(await code(signer[form], { anchors }), "input.type");
    }
    for (const certificate of [signer.certificate + made.module, [signer.certificate, made.module].join("\n")]) {
      assert.equal((await verifyJws(signer.bare, { anchors, certificate })).header.kid, "1");
    }
  });

  test(`${algorithm} with anything changed`, async () => {
    const parts = signer.whole.split(".");
    for (const index of [1, 2]) {
      const bytes = Buffer.from(parts[index], "base64url");
      for (const place of [0, bytes.length >> 1, bytes.length - 1]) {
        const changed = Buffer.from(bytes);
        changed[place] ^= 1;
        const altered = parts.with(index, changed.toString("base64url")).join(".");
        assert.equal(await code(altered, { anchors }), "jws.signature");
      }
    }
    const header = Buffer.from(parts[0], "base64url").toString().replace("{", '{"a":1,');
    const altered = [Buffer.from(header).toString("base64url"), ...parts.slice(1)].join(".");
    assert.equal(await code(altered, { anchors }), "jws.signature");
    assert.equal(await code(signer.whole.replace(/\.[^.]*$/, "."), { anchors }), "jws.signature");
  });
}

describe("a signer is trusted", () => {
  const { RS256, ES256, expired, encrypting } = made.signers;

  test("only if an anchor vouches for the certificate", async () => {
    for (const [jws, options] of [
      [RS256.whole, { anchors: [made.other_root] }],
      [RS256.leaf, { anchors }],
      [expired.whole, { anchors }],
      [encrypting.whole, { anchors }],
      [RS256.whole, { anchors, now: new Date("2016-01-01") }],
      [RS256.bare, { anchors, certificate: "no certificate" }],
    ]) {
      const error = await failure(verifyJws(jws, options));
      assert.equal(error.code, "jws.untrusted");
      assert.ok(error.cause instanceof KunjiError);
    }
    assert.ok(await verifyJws(RS256.leaf, { anchors: [made.module] }));
    assert.ok(
      await verifyJws(RS256.leaf, {
        anchors: [made.root, made.other_root],
        certificate: RS256.certificate + made.module,
      }),
    );
  });

  test("whom the caller names, not whom the header does", async () => {
    const options = { anchors, certificate: ES256.certificate + made.module };
    assert.equal(await code(RS256.whole, options), "jws.algorithm");
    const other = { anchors, certificate: encrypting.certificate + made.module };
    assert.equal(await code(RS256.whole, other), "jws.untrusted");
  });

  test("if there are anchors at all", async () => {
    assert.equal(await code(RS256.whole, { anchors: [] }), "anchors.missing");
    assert.equal(await code(RS256.whole, { anchors: ["x"] }), "anchors.malformed");
    assert.equal(await code(RS256.bare, { anchors }), "jws.malformed");
  });
});

describe("what is not verified", () => {
  const { whole, critical, not_critical: notCritical, detached } = made.signers.RS256;
  const [, body, signature] = whole.split(".");
  const withHeader = (header) => [Buffer.from(JSON.stringify(header)).toString("base64url"), body, signature].join(".");

  test("other algorithms", async () => {
    for (const alg of ["none", "HS256", "RS512", "rs256", "", undefined, null, 5, ["RS256"], { alg: "RS256" }]) {
      assert.equal(await code(withHeader({ alg }), { anchors }), "jws.algorithm");
    }
    assert.equal(await code(made.signers.p384.whole, { anchors }), "jws.algorithm");
    for (const alg of ["ES256", "EdDSA"]) {
      const [head] = whole.split(".");
      const header = { ...JSON.parse(Buffer.from(head, "base64url")), alg };
      assert.equal(await code(withHeader(header), { anchors }), "jws.algorithm");
    }
  });

  test("headers that are critical and not understood", async () => {
    assert.equal(await code(critical, { anchors }), "jws.algorithm");
    assert.equal(await code(notCritical, { anchors }), "jws.malformed");
    for (const crit of [[], "b64", [5], ["b64", "exp"]]) {
      assert.equal(await code(withHeader({ alg: "RS256", crit, b64: false }), { anchors }), "jws.algorithm");
    }
    assert.equal(await code(withHeader({ alg: "RS256", crit: ["b64"], b64: "no" }), { anchors }), "jws.malformed");
  });

  test("text of another form", async () => {
    for (const text of [
      "",
      "a.b",
      "a.b.c.d",
      "*.b.c",
      "bm8.b.c",
      `${Buffer.from("[]").toString("base64url")}.b.c`,
      `${"a".repeat(300_000)}.b.c`,
    ]) {
      assert.equal(await code(text, { anchors }), "jws.malformed");
    }
    assert.equal(await code(`${whole}*`, { anchors }), "jws.malformed");
    assert.equal(await code(whole, { anchors, payload }), "jws.malformed");
    for (const x5c of ["text", [5], Array(17).fill("AAAA"), {}]) {
      assert.equal(await code(withHeader({ alg: "RS256", x5c }), { anchors }), "jws.malformed");
    }
    assert.equal(await code(withHeader({ alg: "RS256", x5c: ["*"] }), { anchors }), "jws.malformed");
    assert.equal(await code(withHeader({ alg: "RS256", x5c: ["AAAA"] }), { anchors }), "jws.untrusted");
    for (const [jws, options] of [
      [5, { anchors }],
      [whole, undefined],
      [whole, {}],
      [whole, { anchors, certificate: 5 }],
      [detached, { anchors, payload: 5 }],
    ]) {
      assert.equal(await code(jws, options), "input.type");
    }
  });
});

test("in Chromium, under the policy", async () => {
  const server = await serve({ "/client/": `${pkg}/` });
  const browser = await launch();
  try {
    const { page, faults } = await openPage(browser, server.url);
    const results = await page.evaluate(verifyAll, { signers: made.signers, anchors, names: ALGORITHMS });
    assert.deepEqual(faults, []);
    // Older browsers do not know Ed25519, and say so.
    const { EdDSA, ...others } = results;
    assert.deepEqual(others, { RS256: "CN=RS256", PS256: "CN=PS256", ES256: "CN=ES256" });
    assert.ok(["CN=EdDSA", "runtime.unsupported"].includes(EdDSA), EdDSA);
  } finally {
    await browser.close();
    await server.close();
  }
});

async function verifyAll({ signers, anchors, names }) {
  const { verifyJws } = await import("/client/jws.js");
  const results = {};
  for (const name of names) {
    const verified = verifyJws(signers[name].whole, { anchors });
    results[name] = await verified.then(
      ({ signer }) => signer.subject,
      (error) => error.code,
    );
  }
  return results;
}
