/**
 * Signatures (RFC 7515), verified with trust in pinned anchors.
 *
 * As with the functions of `@kunji/client`, every failure is a `KunjiError`.
 */

import type { RecipientOptions } from "./index.js";

export interface JwsOptions extends RecipientOptions {
  /** What was signed, for a signature without its payload (`header..signature`). */
  readonly payload?: Uint8Array | ArrayBuffer | Blob | string | undefined;
  /** The signer's certificate as PEM, its chain behind it. Goes before what the header says (`x5c`), which then only helps to find a path. */
  readonly certificate?: string | undefined;
}

/** A certificate whose key signed, and for which a pinned anchor vouches. */
export interface Signer {
  /** Lower-case hexadecimal SHA-256 of the certificate's DER. */
  readonly thumbprint: string;
  /** The subject's name as text (RFC 4514). */
  readonly subject: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly pem: string;
}

export interface VerifiedJws {
  /** The bytes that were signed. */
  readonly payload: Uint8Array<ArrayBuffer>;
  /** The protected header. */
  readonly header: Readonly<Record<string, unknown>>;
  /** Who signed. **Any** signing certificate under the anchors will do: compare it with the one that is expected. */
  readonly signer: Signer;
}

/**
 * Verifies a signature in compact form, with or without its payload: RS256, PS256, ES256 or EdDSA (Ed25519), with the
 * payload encoded or not (RFC 7797).
 *
 * The signer's certificate must be valid, made for signing, and chain to an anchor by RSA signatures. Claims in the
 * payload, such as when it expires, are the caller's to check. Fails with `jws.*` or `anchors.*`.
 */
export function verifyJws(jws: string, options: JwsOptions): Promise<VerifiedJws>;
