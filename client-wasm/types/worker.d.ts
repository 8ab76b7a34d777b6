/**
 * Packets made and opened in a worker: the page stays free to draw and to answer.
 *
 * As with the functions of `@kunji/client`, every failure is a `KunjiError`, except that an aborted `signal` rejects
 * with its reason.
 */

import type {
  BinaryInput,
  ByteStream,
  DecryptOptions,
  DecryptRegistrationOptions,
  DecryptStreamOptions,
  EncryptOptions,
  EncryptRegistrationOptions,
  EncryptStreamOptions,
  Input,
  Recipient,
  ReopenableSource,
} from "./index.js";

export interface Transferring {
  /**
   * Hands bytes over instead of copying them: the `ArrayBuffer` behind `data` is empty afterwards, and so is all else
   * that lay in it.
   */
  readonly transfer?: boolean | undefined;
}

/**
 * A worker that makes and opens packets, with functions as those of `@kunji/client`.
 *
 * Its thread starts with the first call, and takes any number of calls at a time. A worker that could not be started,
 * or that stopped, fails the calls under way with `runtime.load`; the next call starts another. In Node the work is done
 * in the threads of its WebCrypto.
 */
export class PacketWorker {
  constructor();
  encryptPacket(
    data: Input,
    recipient: Recipient,
    options?: EncryptOptions & Transferring,
  ): Promise<Uint8Array<ArrayBuffer>>;
  encryptRegistrationPacket(
    data: Input,
    recipient: Recipient,
    options?: EncryptRegistrationOptions & Transferring,
  ): Promise<Uint8Array<ArrayBuffer>>;
  encryptPacketStream(
    data: Input,
    recipient: Recipient,
    options?: EncryptStreamOptions & Transferring,
  ): Promise<ByteStream>;
  decryptPacket(
    packet: BinaryInput,
    privateKey: CryptoKey,
    options?: DecryptOptions & Transferring,
  ): Promise<Uint8Array<ArrayBuffer>>;
  decryptRegistrationPacket(
    packet: BinaryInput,
    privateKey: CryptoKey,
    options?: DecryptRegistrationOptions & Transferring,
  ): Promise<Uint8Array<ArrayBuffer>>;
  decryptPacketStream(
    packet: BinaryInput | ReopenableSource,
    privateKey: CryptoKey,
    options?: DecryptStreamOptions & Transferring,
  ): Promise<ByteStream & { readonly length: number }>;
  /** Ends the thread. Calls and streams that are under way, and later ones, fail with `runtime.closed`. */
  close(): void;
}
