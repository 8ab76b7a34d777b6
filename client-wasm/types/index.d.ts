/**
 * Encrypts packets for a Kunji or MOSIP key manager, and opens them.
 *
 * Every function is asynchronous and may be called at once: the WebAssembly behind them is loaded by the first call
 * that needs it. Every failure is a {@link KunjiError}, except that an aborted `signal` rejects with its reason.
 */

/** What can be encrypted. A string, which must be well-formed, stands for its UTF-8 bytes. Do not change the bytes before the promise settles. */
export type Input = Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array> | string;

/** What can be opened. */
export type BinaryInput = Uint8Array | ArrayBuffer | Blob;

/** What can be opened though it is neither in memory nor a file: it is read twice, from the beginning each time. */
export interface ReopenableSource {
  /** How many bytes there are. */
  readonly size: number;
  /** Opens it at its beginning. */
  open(): ReadableStream<Uint8Array> | Promise<ReadableStream<Uint8Array>>;
}

/** How far a call is. */
export interface Progress {
  /** Bytes that were handled. What is opened in pieces is handled twice, and counts twice. */
  readonly bytes: number;
  /** What `bytes` will be at the end, where that is known. */
  readonly total: number | undefined;
}

export interface CallOptions {
  /** Aborts the call: it rejects with the signal's reason, and nothing is left of what it made. */
  readonly signal?: AbortSignal | undefined;
  /** Told after each piece of what is handled in pieces, and otherwise at the end. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Bytes as a stream. They are made as they are read: what is not read costs nothing. */
export interface ByteStream {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** How many bytes it will have in all, exactly, where the length of the input is known. */
  readonly length: number | undefined;
}

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

export interface EncryptOptions extends CallOptions {
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

export interface EncryptRegistrationOptions extends CallOptions {}

/** Encrypts `data` as registration clients do: nonce and associated data in front. */
export function encryptRegistrationPacket(
  data: Input,
  recipient: Recipient,
  options?: EncryptRegistrationOptions,
): Promise<Uint8Array<ArrayBuffer>>;

export interface EncryptStreamOptions extends EncryptOptions {
  /** Whether it is to be a registration packet, which takes neither salt nor associated data. */
  readonly registration?: boolean | undefined;
}

/**
 * Encrypts `data` for `recipient`, piece by piece as the stream is read: of a file of any size, a few MiB are in memory.
 *
 * The bytes are those of {@link encryptPacket}. Resolves once the first of them are there.
 */
export function encryptPacketStream(
  data: Input,
  recipient: Recipient,
  options?: EncryptStreamOptions,
): Promise<ByteStream>;

/** Encrypts what is piped through it: `stream.pipeThrough(new PacketEncryptionStream(recipient))`. */
export class PacketEncryptionStream implements ReadableWritablePair<Uint8Array<ArrayBuffer>, Uint8Array> {
  constructor(recipient: Recipient, options?: EncryptStreamOptions);
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Uint8Array>;
}

export interface DecryptOptions extends CallOptions {
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

export interface DecryptRegistrationOptions extends CallOptions {}

/** Opens a registration packet. */
export function decryptRegistrationPacket(
  packet: BinaryInput,
  privateKey: CryptoKey,
  options?: DecryptRegistrationOptions,
): Promise<Uint8Array<ArrayBuffer>>;

export interface DecryptStreamOptions extends DecryptOptions {
  /** Whether it is a registration packet. */
  readonly registration?: boolean | undefined;
}

/**
 * Opens a packet of any size with a few MiB of memory.
 *
 * The packet is read twice. Resolves when the first pass has verified all of it; the second decrypts as the stream is
 * read, and lets no byte out that the first did not see. A source that changed between the two ends the stream with
 * `packet.decryption_failed`.
 */
export function decryptPacketStream(
  packet: BinaryInput | ReopenableSource,
  privateKey: CryptoKey,
  options?: DecryptStreamOptions,
): Promise<ByteStream & { readonly length: number }>;

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
  | "bundle.malformed"
  | "bundle.missing"
  | "certificate.malformed"
  | "container.hash"
  | "container.malformed"
  | "container.name"
  | "container.signature"
  | "container.too_many_entries"
  | "encoding.base64"
  | "form.invalid"
  | "form.malformed"
  | "form.too_large"
  | "input.key"
  | "input.type"
  | "input.unreadable"
  | "jws.algorithm"
  | "jws.malformed"
  | "jws.signature"
  | "jws.untrusted"
  | "layout.capture_length"
  | "layout.iterations"
  | "network.refused"
  | "network.response"
  | "network.unreachable"
  | "packet.cipher_failed"
  | "packet.decryption_failed"
  | "packet.empty_content"
  | "packet.salt_length"
  | "packet.splitter_misplaced"
  | "packet.splitter_missing"
  | "packet.too_long"
  | "packet.truncated"
  | "pem.damaged"
  | "pem.missing"
  | "pem.too_large"
  | "public_key.malformed"
  | "public_key.not_rsa"
  | "public_key.unsupported_exponent"
  | "public_key.unsupported_size"
  | "queue.full"
  | "queue.missing"
  | "queue.quota"
  | "queue.unavailable"
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
  | "runtime.closed"
  | "runtime.failed"
  | "runtime.load"
  | "runtime.unsupported";
