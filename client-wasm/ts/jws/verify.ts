// Signatures (RFC 7515) whose signer is trusted because a pinned anchor vouches for the certificate.

import type { JwsOptions, VerifiedJws } from "#jws";
import { KunjiError, webCryptoMissing } from "../errors.ts";
import type { CheckedCertificate } from "../host.ts";
import { bytesOf, WHOLE, wrongType } from "../input.ts";
import { base64Url, bytesOfBase64, optionsOf, textOf } from "../layouts/text.ts";
import type { Bytes } from "../pieces/reader.ts";
import { checkCertificate, checkedOptions } from "../recipient.ts";
import { certificatesIn } from "./x5c.ts";

interface Algorithm {
  /** How the key is imported. */
  readonly key: RsaHashedImportParams | EcKeyImportParams | { readonly name: string };
  readonly signature: RsaPssParams | EcdsaParams | { readonly name: string };
}

const SHA_256 = "SHA-256";
const ALGORITHMS = new Map<unknown, Algorithm>([
  ["RS256", { key: { name: "RSASSA-PKCS1-v1_5", hash: SHA_256 }, signature: { name: "RSASSA-PKCS1-v1_5" } }],
  ["PS256", { key: { name: "RSA-PSS", hash: SHA_256 }, signature: { name: "RSA-PSS", saltLength: 32 } }],
  ["ES256", { key: { name: "ECDSA", namedCurve: "P-256" }, signature: { name: "ECDSA", hash: SHA_256 } }],
  ["EdDSA", { key: { name: "Ed25519" }, signature: { name: "Ed25519" } }],
]);

const MAX_HEADER_CHARACTERS = 256 * 1024;

export async function verifyJws(jws: string, options: JwsOptions): Promise<VerifiedJws> {
  const { anchors, now = new Date() } = checkedOptions(options);
  const { payload: given, certificate } = optionsOf(options);
  if (certificate !== undefined) textOf("options.certificate", certificate);
  const parts = textOf("jws", jws).split(".");
  const [encodedHeader = "", encodedPayload = "", encodedSignature = ""] = parts;
  if (parts.length !== 3) throw malformed("it does not have three parts");
  const header = headerOf(encodedHeader);
  const { alg, x5c } = header;
  const algorithm = ALGORITHMS.get(alg);
  if (!algorithm) throw unsupported("its algorithm is none of RS256, PS256, ES256 and EdDSA");
  const isEncoded = isPayloadEncoded(header);
  if (given === undefined && (!isEncoded || encodedPayload === "")) throw wrongType("options.payload", "the payload");
  if (given !== undefined && encodedPayload !== "") throw malformed("it has a payload, and another was given");
  const payload = given === undefined ? part("payload", encodedPayload) : new Uint8Array(await bytesOf(given, WHOLE));
  const signature = part("signature", encodedSignature);

  const chain = certificatesIn(x5c);
  if (!chain) throw malformed("its header x5c is not a list of at most 16 certificates");
  const pem = [certificate, ...chain].filter((one) => one !== undefined).join("\n");
  if (pem === "") throw malformed("it has no certificate, and none was given");
  const signer = await trusted(pem, anchors, now);
  // What was signed is the text that is there.
  const signed = isEncoded ? encodedPayload || base64Url(payload) : payload;
  const message = new Uint8Array(await new Blob([`${encodedHeader}.`, signed]).arrayBuffer());
  if (!(await isSigned(signer.publicKey, algorithm, signature, message))) {
    throw new KunjiError(
      "jws.signature",
      "the signature is not good",
      "do not use what it is said to sign; compare payload and certificate with those that were signed",
    );
  }
  const { thumbprint, subject } = signer;
  const [notBefore, notAfter] = [new Date(signer.notBefore), new Date(signer.notAfter)];
  return { payload, header, signer: { thumbprint, subject, notBefore, notAfter, pem: signer.pem } };
}

function headerOf(encoded: string): Record<string, unknown> {
  if (encoded.length > MAX_HEADER_CHARACTERS) throw malformed("its header is too long");
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(part("header", encoded)));
  } catch {
    // Told below.
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw malformed("its header is not a JSON object in base64url");
  }
  return header as Record<string, unknown>;
}

/** RFC 7797. Whatever else is critical is not understood. */
function isPayloadEncoded(header: Record<string, unknown>): boolean {
  const { crit, b64 } = header;
  const critical: unknown[] = crit === undefined ? [] : Array.isArray(crit) && crit.length > 0 ? crit : [undefined];
  if (critical.some((name) => name !== "b64")) throw unsupported("it has a critical header that is not understood");
  if (b64 === undefined) return true;
  if (typeof b64 !== "boolean" || critical.length === 0) throw malformed("its header b64 is not a critical boolean");
  return b64;
}

function part(name: string, text: string): Bytes {
  try {
    return bytesOfBase64(name, text);
  } catch {
    throw malformed(`its ${name} is not base64url`);
  }
}

async function trusted(pem: string, anchors: readonly string[], now: Date): Promise<CheckedCertificate> {
  try {
    return await checkCertificate(pem, anchors, now, true);
  } catch (cause) {
    const isAboutSigner = cause instanceof KunjiError && /^(recipient|pem|certificate)\./.test(cause.code);
    if (!isAboutSigner) throw cause;
    throw new KunjiError("jws.untrusted", `the signer is not trusted: ${cause.message}`, cause.hint, { cause });
  }
}

async function isSigned(
  publicKey: Bytes,
  { key: keyAlgorithm, signature: algorithm }: Algorithm,
  signature: Bytes,
  message: Bytes,
): Promise<boolean> {
  const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (!subtle) throw webCryptoMissing("verifies signatures");
  let key: CryptoKey;
  try {
    key = await subtle.importKey("spki", publicKey, keyAlgorithm, false, ["verify"]);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "NotSupportedError") {
      throw new KunjiError(
        "runtime.unsupported",
        `this browser does not know ${keyAlgorithm.name}`,
        "use a current browser",
        { cause },
      );
    }
    throw unsupported("its algorithm is not that of the signer's key");
  }
  return await subtle.verify(algorithm, key, signature, message);
}

function malformed(what: string): KunjiError {
  return new KunjiError("jws.malformed", `not a JWS that can be verified: ${what}`, "pass its compact form (RFC 7515)");
}

function unsupported(what: string): KunjiError {
  return new KunjiError("jws.algorithm", `not a JWS that is verified: ${what}`, "have it signed in one of those forms");
}
