// Verifies what the server signs, and signs for it, with the `@auth0/cose` library.
//
// verify: message (hex), publicKey (PEM), algorithm -> payload (base64), protected and unprotected labels, and the claims
//         where the payload is a map
// sign:   algorithm, payload (base64) -> message (hex), publicKey (PEM) of a new key
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { Algorithms, Headers, Sign1 } from "@auth0/cose";
import { Encoder } from "cbor-x";
import { serve } from "./lines.mjs";

const KINDS = {
  EdDSA: ["ed25519"],
  ES256: ["ec", { namedCurve: "P-256" }],
  ES384: ["ec", { namedCurve: "P-384" }],
  PS256: ["rsa", { modulusLength: 2048 }],
  RS256: ["rsa", { modulusLength: 2048 }],
};
const decoder = new Encoder({ mapsAsObjects: false });

function claimsOf(payload) {
  try {
    const claims = decoder.decode(payload);
    if (!(claims instanceof Map)) return undefined;
    return Object.fromEntries([...claims].map(([key, value]) => [key, plain(value)]));
  } catch {
    return undefined;
  }
}

function plain(value) {
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : value;
}

async function verify({ message, publicKey, algorithm }) {
  let bytes = Buffer.from(message, "hex");
  // The tag of a CWT, which the library does not know.
  if (bytes[0] === 0xd8 && bytes[1] === 61) bytes = bytes.subarray(2);
  const signed = Sign1.decode(bytes);
  await signed.verify(createPublicKey(publicKey), { algorithms: [Algorithms[algorithm]] });
  return {
    payload: Buffer.from(signed.payload).toString("base64"),
    protected: [...signed.protectedHeaders.keys()],
    unprotected: [...signed.unprotectedHeaders.keys()],
    claims: claimsOf(signed.payload),
  };
}

async function sign({ algorithm, payload }) {
  const { privateKey, publicKey } = generateKeyPairSync(...KINDS[algorithm]);
  const content = Buffer.from(payload, "base64");
  const signed = await Sign1.sign([[Headers.Algorithm, Algorithms[algorithm]]], [], content, privateKey);
  return {
    message: Buffer.from(signed.encode()).toString("hex"),
    publicKey: publicKey.export({ type: "spki", format: "pem" }),
  };
}

await serve({ sign, verify });
