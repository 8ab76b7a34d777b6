// Verifies what the server signs, and signs for it, with the `jose` library.
//
// verify: token, certificate (PEM), algorithm, and payload (base64) where the token is detached -> payload (base64)
// verifyBySet: token, algorithm, and the JWK set that has the key -> payload (base64)
// sign:   algorithm, header, payload (base64), detached, and b64 -> token, publicKey (PEM) of a new key
import {
  compactVerify,
  createLocalJWKSet,
  exportSPKI,
  FlattenedSign,
  flattenedVerify,
  generateKeyPair,
  importX509,
} from "jose";
import { serve } from "./lines.mjs";

async function verify({ token, certificate, algorithm, payload }) {
  const key = await importX509(certificate, algorithm);
  const [header, middle, signature] = token.split(".");
  const { b64 } = JSON.parse(Buffer.from(header, "base64url").toString());
  const detached = payload === undefined ? undefined : Buffer.from(payload, "base64");
  let body = middle;
  if (detached !== undefined) body = b64 === false ? detached : detached.toString("base64url");
  const verified = await flattenedVerify({ protected: header, payload: body, signature }, key, {
    algorithms: [algorithm],
  });
  return { payload: Buffer.from(verified.payload).toString("base64") };
}

async function sign({ algorithm, header, payload, detached }) {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const signed = await new FlattenedSign(Buffer.from(payload, "base64"))
    .setProtectedHeader({ alg: algorithm, ...header })
    .sign(privateKey);
  const middle = detached ? "" : (signed.payload ?? "");
  return { token: `${signed.protected}.${middle}.${signed.signature}`, publicKey: await exportSPKI(publicKey) };
}

async function verifyBySet({ token, set, algorithm }) {
  const { payload } = await compactVerify(token, createLocalJWKSet(set), { algorithms: [algorithm] });
  return { payload: Buffer.from(payload).toString("base64") };
}

await serve({ sign, verify, verifyBySet });
