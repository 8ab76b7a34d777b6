// For Node, whose WebCrypto works in threads of its own: the functions of the package, in the shape of a worker.

import type { BinaryInput, ByteStream, CallOptions, Input, ReopenableSource } from "#api";
import {
  decryptPacket,
  decryptPacketStream,
  decryptRegistrationPacket,
  encryptPacket,
  encryptPacketStream,
  encryptRegistrationPacket,
  KunjiError,
  type Recipient,
} from "../index.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export class PacketWorker {
  readonly #closing = new AbortController();

  async encryptPacket(data: Input, recipient: Recipient, options: CallOptions = {}): Promise<Bytes> {
    return await encryptPacket(data, recipient, this.#until(options));
  }

  async encryptRegistrationPacket(data: Input, recipient: Recipient, options: CallOptions = {}): Promise<Bytes> {
    return await encryptRegistrationPacket(data, recipient, this.#until(options));
  }

  async encryptPacketStream(data: Input, recipient: Recipient, options: CallOptions = {}): Promise<ByteStream> {
    return await encryptPacketStream(data, recipient, this.#until(options));
  }

  async decryptPacket(packet: BinaryInput, privateKey: CryptoKey, options: CallOptions = {}): Promise<Bytes> {
    return await decryptPacket(packet, privateKey, this.#until(options));
  }

  async decryptRegistrationPacket(
    packet: BinaryInput,
    privateKey: CryptoKey,
    options: CallOptions = {},
  ): Promise<Bytes> {
    return await decryptRegistrationPacket(packet, privateKey, this.#until(options));
  }

  async decryptPacketStream(
    packet: BinaryInput | ReopenableSource,
    privateKey: CryptoKey,
    options: CallOptions = {},
  ): Promise<ByteStream & { readonly length: number }> {
    return await decryptPacketStream(packet, privateKey, this.#until(options));
  }

  close(): void {
    const error = new KunjiError("runtime.closed", "the PacketWorker was closed", "make a new one, and encrypt again");
    this.#closing.abort(error);
  }

  /** The options of a call that ends when this is closed. */
  #until<Options extends CallOptions>(options: Options): Options {
    const closed = this.#closing.signal;
    closed.throwIfAborted();
    const { signal } = options ?? {};
    // What is no signal is refused by the call itself.
    if (signal !== undefined && !(signal instanceof AbortSignal)) return options;
    return { ...options, signal: signal ? AbortSignal.any([signal, closed]) : closed };
  }
}
