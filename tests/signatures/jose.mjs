// Verifies what the server signs, and signs for it, with the `jose` library. Reads one JSON request a line, writes one
// JSON answer a line.
//
// verify: token, certificate (PEM), algorithm, and payload (base64) where the token is detached -> payload (base64)
// sign:   algorithm, header, payload (base64), detached, and b64 -> token, publicKey (PEM) of a new key
import { createInterface } from "node:readline";
import { FlattenedSign, exportSPKI, flattenedVerify, generateKeyPair, importX509 } from "jose";

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

for await (const line of createInterface({ input: process.stdin })) {
  const { call, ...request } = JSON.parse(line);
  let answer;
  try {
    answer = await (call === "verify" ? verify(request) : sign(request));
  } catch (error) {
    answer = { error: error.code ?? String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
