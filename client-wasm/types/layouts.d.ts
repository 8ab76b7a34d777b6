/**
 * What clients of the field send beside packets, and what a packet shows without a key.
 *
 * As with the functions of `@kunji/client`, every failure is a `KunjiError`, and whatever goes wrong once a private key
 * is used is `packet.decryption_failed`.
 */

import type { BinaryInput, Recipient } from "./index.js";

/** What is wholly in memory while it is encrypted. A string stands for its UTF-8 bytes. */
export type WholeInput = Uint8Array | ArrayBuffer | Blob | string;

/** The members of a request to ID Authentication, as base64. */
export interface AuthRequest {
  readonly request: string;
  readonly requestHMAC: string;
  readonly requestSessionKey: string;
}

export interface SealedAuthRequest extends AuthRequest {
  /** SHA-256 of the certificate. */
  readonly thumbprint: string;
}

/** Encrypts the inner JSON of a request to ID Authentication, and its hash. */
export function encryptAuthRequest(request: WholeInput, recipient: Recipient): Promise<SealedAuthRequest>;

/** Opens a request, and verifies its hash. Takes base64 in either alphabet, padded or not. */
export function decryptAuthRequest(request: AuthRequest, privateKey: CryptoKey): Promise<Uint8Array<ArrayBuffer>>;

/** What a biometric block is bound to: both exactly as they stand in the message, one with at least 16 bytes. */
export interface Capture {
  readonly timestamp: string;
  readonly transactionId: string;
}

/** A biometric block, as base64. */
export interface BiometricBlock {
  readonly data: string;
  readonly sessionKey: string;
}

export interface SealedBiometricBlock extends BiometricBlock {
  /** SHA-256 of the certificate: upper-case hexadecimal. */
  readonly thumbprint: string;
}

/** Encrypts captured data as capture devices and registration clients do. */
export function encryptBiometricBlock(
  data: WholeInput,
  recipient: Recipient,
  capture: Capture,
): Promise<SealedBiometricBlock>;

/** Opens a biometric block with what it is bound to. */
export function decryptBiometricBlock(
  block: BiometricBlock,
  privateKey: CryptoKey,
  capture: Capture,
): Promise<Uint8Array<ArrayBuffer>>;

export interface PinOptions {
  /** Iterations of PBKDF2, 1 to 10 000 000. Does not stand in the result. 100 000 unless given. */
  readonly iterations?: number | undefined;
}

/** Encrypts under a PIN, without a certificate. Few digits are soon tried: as safe as the way that the result takes. */
export function encryptWithPin(data: WholeInput, pin: string, options?: PinOptions): Promise<Uint8Array<ArrayBuffer>>;

/** Opens what was encrypted under a PIN. */
export function decryptWithPin(
  sealed: BinaryInput,
  pin: string,
  options?: PinOptions,
): Promise<Uint8Array<ArrayBuffer>>;

/** Who holds the private key: software, an Android key store, or a TPM. */
export type MachineKind = "local" | "android" | "tpm";

export interface MachineOptions {
  /** `local` unless given. A key that a TPM marshalled is that of a TPM whatever is given. */
  readonly kind?: MachineKind | undefined;
}

/**
 * Encrypts for a machine's public key: DER of a SubjectPublicKeyInfo, or a TPM's TPMT_PUBLIC, as bytes or base64. The
 * caller answers for whose key it is.
 */
export function encryptForMachine(
  data: WholeInput,
  publicKey: string | Uint8Array,
  options?: MachineOptions,
): Promise<Uint8Array<ArrayBuffer>>;

export interface OpenMachineOptions {
  /** `local` unless given. WebCrypto cannot unwrap what is for an Android key store. */
  readonly kind?: "local" | "tpm" | undefined;
}

/** Opens what was encrypted for a machine, in the present layout or the old one. */
export function decryptForMachine(
  sealed: BinaryInput,
  privateKey: CryptoKey,
  options?: OpenMachineOptions,
): Promise<Uint8Array<ArrayBuffer>>;

/** What is said about every sub-packet of a registration. */
export interface RegistrationInfo {
  /** Of the packet: registration id, reference id and time stamp, joined by `-`. */
  readonly id: string;
  readonly refId?: string | undefined;
  readonly source?: string | undefined;
  readonly process?: string | undefined;
  readonly schemaVersion?: string | undefined;
  readonly providerName?: string | undefined;
  readonly providerVersion?: string | undefined;
  readonly creationDate?: string | undefined;
}

export interface SubPacket {
  /** Such as `id`, `evidence` or `optional`. */
  readonly name: string;
  /** A ZIP. */
  readonly content: WholeInput;
}

export interface RegistrationContainer extends RegistrationInfo {
  readonly subPackets: readonly SubPacket[];
}

export interface ContainerOptions {
  /** Signs as the machine: RSASSA-PKCS1-v1_5 with SHA-256 over these bytes. */
  readonly sign: (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array> | Uint8Array;
}

/**
 * Makes a registration's container: every sub-packet signed in clear and encrypted as a registration packet, its hash
 * and signature in a description beside it, all in a ZIP, and that encrypted as a registration packet again.
 */
export function encryptRegistrationContainer(
  container: RegistrationContainer,
  recipient: Recipient,
  options: ContainerOptions,
): Promise<Uint8Array<ArrayBuffer>>;

export interface SubPacketDescription extends RegistrationInfo {
  readonly packetName: string;
  /** base64url */
  readonly signature: string;
  /** base64url of the SHA-256 of the encrypted bytes. */
  readonly encryptedHash: string;
}

export interface OpenedSubPacket {
  /** Where it stood in the container. */
  readonly path: string;
  readonly description: SubPacketDescription;
  readonly content: Uint8Array<ArrayBuffer>;
}

export interface OpenContainerOptions {
  /** Whether this is the signature of the machine that `description` names, over the clear bytes. */
  readonly verify: (
    bytes: Uint8Array<ArrayBuffer>,
    signature: Uint8Array<ArrayBuffer>,
    description: SubPacketDescription,
  ) => Promise<boolean> | boolean;
}

/** Opens a container and all in it. Fails if one hash or signature is not good. */
export function decryptRegistrationContainer(
  packet: BinaryInput,
  privateKey: CryptoKey,
  options: OpenContainerOptions,
): Promise<OpenedSubPacket[]>;

export interface ParseOptions {
  /** Whether it is a registration packet, which nothing in the bytes tells. */
  readonly registration?: boolean | undefined;
}

/** Bytes of a packet, by their offsets. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** How a packet is laid out if it is for a key of this size. */
export interface PacketReading {
  readonly modulusLength: 2048 | 3072 | 4096;
  readonly hasThumbprint: boolean;
  readonly wrappedKey: Span;
  readonly splitter: Span;
  /** All behind the splitter: what is what in it depends on whether there is a header, and a salt. */
  readonly body: Span;
}

export interface ParsedPacket {
  /** Whether it begins with `VER_R2`, and so carries nonce and associated data. */
  readonly hasHeader: boolean;
  /** Names the certificate, in lower-case hexadecimal. A claim of whoever made the packet. */
  readonly thumbprint: string | undefined;
  /** One, but for bytes that look like two by chance or intent. The key decides. */
  readonly readings: readonly PacketReading[];
}

/** Says what a packet shows without a key. Fails with `packet.*` if it is none. */
export function parsePacket(packet: BinaryInput, options?: ParseOptions): Promise<ParsedPacket>;
