import type { ErrorCode } from "#api";

export class KunjiError extends Error {
  override readonly name = "KunjiError";
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

export function cipherFailure(cause: unknown): KunjiError {
  return new KunjiError(
    "packet.cipher_failed",
    "the content could not be encrypted",
    "encrypt less at a time, and do not change the data meanwhile; nothing was made that could be sent",
    { cause },
  );
}

/** Not even the cause is in it: it would tell what failed. */
export function decryptionFailure(): KunjiError {
  return new KunjiError(
    "packet.decryption_failed",
    "the packet cannot be decrypted",
    "check salt and AAD, that the key is the right one, and that the packet was not altered",
  );
}

export function webCryptoMissing(what = "holds the private key"): KunjiError {
  return new KunjiError(
    "runtime.unsupported",
    `this page has no WebCrypto, which ${what}`,
    "open the page over HTTPS, or on localhost",
  );
}
