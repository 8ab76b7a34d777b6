/**
 * Encrypts packets for a Kunji or MOSIP key manager, and opens them.
 *
 * Every function is asynchronous and may be called at once: the WebAssembly behind them is loaded by the first call
 * that needs it. Every failure is a {@link KunjiError}, except that an aborted `signal` rejects with its reason.
 */

/** What can be encrypted. A string, which must be well-formed, stands for its UTF-8 bytes. Do not change the bytes before the promise settles. */
export type Input = Uint8Array | ArrayBuffer | Blob | string;

/** What can be opened. */
export type BinaryInput = Uint8Array | ArrayBuffer | Blob;

export interface RecipientOptions {
  /** Trust anchors: PEM, one or more certificates in each string. Pin the root of your key manager here. */
  readonly anchors: readonly string[];
  /** The instant at which the certificates must be valid. The machine's clock unless given. */
  readonly now?: Date | undefined;
}

export interface FetchOptions extends RecipientOptions {
  /** Aborts the request, which is otherwise given up after 30 seconds. */
  readonly signal?: AbortSignal | undefined;
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * A certificate that was checked and may be encrypted for: it is valid, made for encryption, and chains to an anchor.
 *
 * Immutable, and nothing has to be freed. Made by {@link parseRecipient} and {@link fetchRecipient} only.
 */
export class Recipient {
  private constructor();
  /** Lower-case hexadecimal SHA-256 of the certificate's DER. */
  readonly thumbprint: string;
  /** The subject's name as text (RFC 4514). */
  readonly subject: string;
  /** First instant of the validity. */
  readonly notBefore: Date;
  /** Last instant of the validity. */
  readonly notAfter: Date;
  /** Size of the RSA key in bits. */
  readonly modulusLength: 2048 | 3072 | 4096;
  /** The certificate as PEM. */
  readonly pem: string;
}

/**
 * Checks a certificate, given as PEM: the certificate first, the chain (in any order) behind it.
 *
 * Fails with `recipient.*` if it may not be encrypted for, `pem.*` or `certificate.*` if it cannot be read, `anchors.*`
 * if the anchors cannot.
 */
export function parseRecipient(pem: string, options: RecipientOptions): Promise<Recipient>;

/**
 * Fetches a certificate with its chain, without credentials, and checks it. Takes the JSON and the PEM of Kunji's
 * `/v1/certificates/{application}/{reference}`, and the envelope of MOSIP's `getCertificate`.
 *
 * Fails as {@link parseRecipient} does, with `network.*` (after 30 seconds at the latest), or with `recipient.clock` if this
 * machine's clock seems wrong: the certificate is valid by the server's, and `now` was not given.
 */
export function fetchRecipient(url: string | URL, options: FetchOptions): Promise<Recipient>;

export interface EncryptOptions {
  /** The GCM nonce, 1 to 64 bytes; the reader must be given it. None: a random one, which stands in the packet. */
  readonly salt?: Uint8Array | undefined;
  /** Associated data; the reader must be given them. */
  readonly aad?: Uint8Array | undefined;
}

/**
 * Encrypts `data` for `recipient`.
 *
 * The packet has the layout `VER_R2`, which carries all that opening needs beside the key, unless a salt or associated
 * data are given.
 */
export function encryptPacket(
  data: Input,
  recipient: Recipient,
  options?: EncryptOptions,
): Promise<Uint8Array<ArrayBuffer>>;

/** Encrypts `data` as registration clients do: nonce and associated data in front. */
export function encryptRegistrationPacket(data: Input, recipient: Recipient): Promise<Uint8Array<ArrayBuffer>>;

export interface DecryptOptions {
  /** The salt the packet was encrypted with, if any. */
  readonly salt?: Uint8Array | undefined;
  /** The associated data the packet was encrypted with, if any were given. */
  readonly aad?: Uint8Array | undefined;
}

/**
 * Opens a packet with an RSA-OAEP private key (SHA-256; usage `decrypt` or `unwrapKey`).
 *
 * Fails with `packet.decryption_failed` whatever went wrong once the key was used.
 */
export function decryptPacket(
  packet: BinaryInput,
  privateKey: CryptoKey,
  options?: DecryptOptions,
): Promise<Uint8Array<ArrayBuffer>>;

/** Opens a registration packet. */
export function decryptRegistrationPacket(packet: BinaryInput, privateKey: CryptoKey): Promise<Uint8Array<ArrayBuffer>>;

/** What the functions of this package fail with. */
export class KunjiError extends Error {
  private constructor();
  readonly name: "KunjiError";
  /** Stable; the README has a table of them. */
  readonly code: ErrorCode;
  /** What to do about it, for a developer or an operator. May be empty. */
  readonly hint: string;
}

/** Codes of {@link KunjiError}. New ones may come with minor versions. */
export type ErrorCode =
  | "anchors.malformed"
  | "anchors.missing"
  | "certificate.malformed"
  | "input.key"
  | "input.type"
  | "input.unreadable"
  | "network.refused"
  | "network.response"
  | "network.unreachable"
  | "packet.cipher_failed"
  | "packet.decryption_failed"
  | "packet.empty_content"
  | "packet.salt_length"
  | "packet.splitter_misplaced"
  | "packet.splitter_missing"
  | "packet.truncated"
  | "pem.damaged"
  | "pem.missing"
  | "pem.too_large"
  | "recipient.clock"
  | "recipient.critical_extension"
  | "recipient.expired"
  | "recipient.issuer_expired"
  | "recipient.issuer_not_authority"
  | "recipient.key_unsupported"
  | "recipient.key_usage"
  | "recipient.not_yet_valid"
  | "recipient.path_length"
  | "recipient.signature"
  | "recipient.untrusted"
  | "runtime.failed"
  | "runtime.load"
  | "runtime.unsupported";
