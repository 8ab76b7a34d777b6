// The page's side: the functions of the package, each of them a call of the worker.

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
  ReopenableSource,
} from "#api";
import { KunjiError, PacketEncryptionStream, type Recipient } from "#client";
import type { Transferring } from "#worker";
import { PendingCall } from "./call.ts";
import { closed, notStarted, wrongType } from "./failure.ts";
import type { Operation } from "./protocol.ts";
import { handOver } from "./source.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export class PacketWorker {
  #worker: Worker | undefined;
  #isClosed = false;
  readonly #pending = new Set<PendingCall>();

  async encryptPacket(data: Input, recipient: Recipient, options: EncryptOptions & Transferring = {}): Promise<Bytes> {
    return (await this.#encrypt("encryptPacket", data, recipient, options)) as Bytes;
  }

  async encryptRegistrationPacket(
    data: Input,
    recipient: Recipient,
    options: EncryptRegistrationOptions & Transferring = {},
  ): Promise<Bytes> {
    return (await this.#encrypt("encryptRegistrationPacket", data, recipient, options)) as Bytes;
  }

  async encryptPacketStream(
    data: Input,
    recipient: Recipient,
    options: EncryptStreamOptions & Transferring = {},
  ): Promise<ByteStream> {
    return (await this.#encrypt("encryptPacketStream", data, recipient, options)) as ByteStream;
  }

  async decryptPacket(
    packet: BinaryInput,
    privateKey: CryptoKey,
    options: DecryptOptions & Transferring = {},
  ): Promise<Bytes> {
    return (await this.#call("decryptPacket", packet, privateKey, options)) as Bytes;
  }

  async decryptRegistrationPacket(
    packet: BinaryInput,
    privateKey: CryptoKey,
    options: DecryptRegistrationOptions & Transferring = {},
  ): Promise<Bytes> {
    return (await this.#call("decryptRegistrationPacket", packet, privateKey, options)) as Bytes;
  }

  async decryptPacketStream(
    packet: BinaryInput | ReopenableSource,
    privateKey: CryptoKey,
    options: DecryptStreamOptions & Transferring = {},
  ): Promise<ByteStream & { readonly length: number }> {
    const opened = await this.#call("decryptPacketStream", packet, privateKey, options);
    return opened as ByteStream & { readonly length: number };
  }

  close(): void {
    this.#isClosed = true;
    this.#end(closed());
  }

  /** As the package itself does it, the page checks that the recipient is one that it has checked, and the options. */
  async #encrypt(
    operation: Operation,
    data: unknown,
    recipient: Recipient,
    options: EncryptStreamOptions,
  ): Promise<Bytes | ByteStream> {
    new PacketEncryptionStream(
      recipient,
      typeof options === "object" && options ? { ...options, signal: undefined } : options,
    );
    return await this.#call(operation, data, recipient.pem, options);
  }

  async #call(
    operation: Operation,
    data: unknown,
    key: unknown,
    options: DecryptStreamOptions & Transferring,
  ): Promise<Bytes | ByteStream> {
    if (typeof options !== "object" || options === null) throw wrongType("options", "an object, or nothing");
    const { salt, aad, registration, transfer } = options;
    if (this.#isClosed) throw closed();
    const call = new PendingCall(options, (ended) => this.#pending.delete(ended));
    const transferred: Transferable[] = [call.port];
    try {
      const source = handOver(data, transfer === true, transferred);
      call.reads(source);
      this.#start().postMessage(
        {
          operation,
          data: source.handed,
          key,
          options: { salt: copied(salt), aad: copied(aad), registration },
          reportsProgress: call.reportsProgress,
          port: call.port,
        },
        transferred,
      );
    } catch (cause) {
      call.fail(
        cause instanceof KunjiError ? cause : wrongType("an argument", "what can be handed to a worker", cause),
      );
      return await call.made;
    }
    this.#pending.add(call);
    return await call.made;
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    try {
      // Bundlers know it by this form.
      this.#worker = new Worker(new URL("./kunji-worker.js", import.meta.url), { type: "module" });
    } catch (cause) {
      throw notStarted(cause);
    }
    // The next call starts another.
    this.#worker.onerror = ({ message }) => this.#end(notStarted(message));
    return this.#worker;
  }

  #end(error: KunjiError): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const call of [...this.#pending]) call.fail(error);
  }
}

/** Its own bytes, and not the memory around them. */
function copied(bytes: unknown): unknown {
  return bytes instanceof Uint8Array ? bytes.slice() : bytes;
}
