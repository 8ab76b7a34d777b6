// Unwrapping data keys with an RSA-OAEP private key of WebCrypto.

import { KunjiError } from "./errors.ts";
import { isTagged } from "./input.ts";

const DATA_KEY_BITS = 256;
const MODULUS_LENGTHS = [2048, 3072, 4096];
const OAEP = { name: "RSA-OAEP" };
const GCM = { name: "AES-GCM", length: DATA_KEY_BITS };

/** The size in bits of a key that can unwrap data keys. */
export function usableKey(key: CryptoKey): number {
  const algorithm = key?.algorithm as Partial<RsaHashedKeyAlgorithm> | undefined;
  const modulusLength = algorithm?.modulusLength ?? 0;
  const isUsable =
    isTagged(key, "CryptoKey") &&
    key.type === "private" &&
    algorithm?.name === OAEP.name &&
    algorithm.hash?.name === "SHA-256" &&
    MODULUS_LENGTHS.includes(modulusLength) &&
    Array.isArray(key.usages) &&
    (key.usages.includes("unwrapKey") || key.usages.includes("decrypt"));
  if (!isUsable) {
    throw new KunjiError(
      "input.key",
      "the private key cannot open packets",
      "pass a CryptoKey: RSA-OAEP with SHA-256, of 2048, 3072 or 4096 bits, with usage unwrapKey or decrypt",
    );
  }
  return modulusLength;
}

/** The data key as one that never shows, if the private key allows it. */
export async function unwrapKey(
  subtle: SubtleCrypto,
  privateKey: CryptoKey,
  wrapped: Uint8Array<ArrayBuffer>,
): Promise<CryptoKey> {
  if (privateKey.usages.includes("unwrapKey")) {
    const key = await subtle.unwrapKey("raw", wrapped, privateKey, OAEP, GCM, false, ["decrypt"]);
    return ofRightSize(key);
  }
  const raw = await unwrapRaw(subtle, privateKey, wrapped);
  try {
    return ofRightSize(await subtle.importKey("raw", raw, GCM, false, ["decrypt"]));
  } finally {
    raw.fill(0);
  }
}

/**
 * The data key as the two that opening in pieces takes. A key that cannot be unwrapped is replaced by one that opens
 * nothing, so that as much is done as for any other packet that does not open.
 */
export async function unwrapPieceKeys(
  subtle: SubtleCrypto,
  privateKey: CryptoKey,
  wrapped: Uint8Array<ArrayBuffer>,
): Promise<{ readonly ctr: CryptoKey; readonly gcm: CryptoKey }> {
  const both = async (keyFor: (name: string) => Promise<CryptoKey>) => {
    const [ctr, gcm] = await Promise.all([keyFor("AES-CTR"), keyFor("AES-GCM")]);
    return { ctr: ofRightSize(ctr), gcm: ofRightSize(gcm) };
  };
  const imported = async (raw: Uint8Array<ArrayBuffer>) => {
    try {
      return await both((name) => subtle.importKey("raw", raw, name, false, ["encrypt"]));
    } finally {
      raw.fill(0);
    }
  };
  try {
    if (!privateKey.usages.includes("unwrapKey")) return await imported(await unwrapRaw(subtle, privateKey, wrapped));
    return await both((name) =>
      subtle.unwrapKey("raw", wrapped, privateKey, OAEP, { name, length: DATA_KEY_BITS }, false, ["encrypt"]),
    );
  } catch {
    return await imported(new Uint8Array(DATA_KEY_BITS / 8));
  }
}

/** The bytes of the data key. The caller wipes them. */
export async function unwrapRaw(
  subtle: SubtleCrypto,
  privateKey: CryptoKey,
  wrapped: Uint8Array<ArrayBuffer>,
  label?: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const oaep = label ? { ...OAEP, label } : OAEP;
  if (privateKey.usages.includes("decrypt")) {
    return new Uint8Array(await subtle.decrypt(oaep, privateKey, wrapped));
  }
  const key = await subtle.unwrapKey("raw", wrapped, privateKey, oaep, GCM, true, ["decrypt"]);
  return new Uint8Array(await subtle.exportKey("raw", key));
}

/** WebCrypto takes an AES key of any size that comes out. */
function ofRightSize(key: CryptoKey): CryptoKey {
  if ((key.algorithm as AesKeyAlgorithm).length !== DATA_KEY_BITS) throw new TypeError("not a data key");
  return key;
}
