/**
 * Packets that wait to be sent, in the browser's database (IndexedDB).
 *
 * As with the functions of `@kunji/client`, every failure is a `KunjiError`, except that an aborted `signal` rejects
 * with its reason.
 */

import type { BinaryInput, CallOptions, Input, Recipient } from "./index.js";

export interface QueueOptions {
  /** Of the database, one per origin and name. `kunji-queue` unless given. */
  readonly name?: string | undefined;
  /** How many packets it takes. 1000 unless given. */
  readonly maxPackets?: number | undefined;
  /** How many bytes of packets it takes. 1 GiB unless given. */
  readonly maxBytes?: number | undefined;
  /** Used instead of the machine's clock. */
  readonly now?: (() => Date) | undefined;
  /** Used instead of `Math.random` to spread attempts. Nothing secret depends on it. */
  readonly random?: (() => number) | undefined;
}

export interface AddOptions {
  /** At most 200 characters that `list` shows. **Kept as it is, not encrypted:** no name, no number of a person. */
  readonly label?: string | undefined;
}

export interface EnqueueOptions extends AddOptions, CallOptions {
  /** Whether it is to be a registration packet. */
  readonly registration?: boolean | undefined;
}

/** A packet that waits. */
export interface QueuedPacket {
  /** Random. The same in every attempt: let the receiver know packets by it. */
  readonly id: string;
  readonly label: string | undefined;
  /** Bytes of the packet. */
  readonly length: number;
  readonly addedAt: Date;
  /** Attempts that failed. */
  readonly attempts: number;
  /** Of the last attempt: code or name of its error, or `not_acknowledged`. */
  readonly lastFailure: string | undefined;
  /** When it is sent at the earliest. Undefined: the next time. */
  readonly nextAttempt: Date | undefined;
}

export interface SentPacket {
  readonly id: string;
  readonly label: string | undefined;
  /** Attempts that failed before. */
  readonly attempts: number;
  /** Aborted when the attempt is over. */
  readonly signal: AbortSignal;
}

/**
 * Sends a packet. **Resolves to `true` once the receiver has it durably, and to nothing else then.** The packet is
 * deleted after that. A page that ends before it is deleted sends it again: the receiver knows it by its id.
 */
export type Transport = (packet: Uint8Array<ArrayBuffer>, about: SentPacket) => Promise<boolean> | boolean;

export interface SendOptions {
  /** Aborts sending. The packet that is under way stays. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for one attempt. Five minutes unless given. */
  readonly timeLimit?: number | undefined;
}

export interface SendResult {
  /** Acknowledged, and deleted. */
  readonly sent: number;
  readonly failed: number;
  /** What is left, whether its time has come or not. */
  readonly waiting: number;
}

export interface PacketQueue {
  /** Whether the browser promised not to delete what is kept. If not, it may when disk space is short: say so. */
  readonly isPersistent: boolean;
  /** Encrypts, and keeps the packet. Resolves once it is on the disk. */
  enqueue(data: Input, recipient: Recipient, options?: EnqueueOptions): Promise<QueuedPacket>;
  /** Keeps a packet that was made already. Resolves once it is on the disk. What does not look like one is refused. */
  add(packet: BinaryInput, options?: AddOptions): Promise<QueuedPacket>;
  /** What waits, in the order in which it was added. */
  list(): Promise<QueuedPacket[]>;
  /** The bytes of a packet that waits, to save it as a file, say. */
  packet(id: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Sends what waits, in order, and deletes what was acknowledged. Of all tabs one sends at a time; the others wait for
   * their turn. A packet that failed waits half a minute to an hour; after three in a row the rest waits too.
   */
  send(transport: Transport, options?: SendOptions): Promise<SendResult>;
  /** Lets a packet, or all, be sent the next time, however long they were to wait. */
  retry(id?: string): Promise<void>;
  /** Deletes a packet **that was not sent**. */
  remove(id: string): Promise<void>;
  /** Closes the database. The next call opens it again. */
  close(): void;
}

/** Opens the queue, and asks the browser to keep what is in it (some ask the user). Fails with `queue.unavailable`. */
export function openQueue(options?: QueueOptions): Promise<PacketQueue>;
