// Packets that wait to be sent. Nothing goes in but ciphertext, and nothing out but what was acknowledged or removed.

import type { BinaryInput, Input } from "#api";
import { encryptPacket, encryptRegistrationPacket, KunjiError, type Recipient } from "#client";
import type {
  AddOptions,
  EnqueueOptions,
  PacketQueue,
  QueuedPacket,
  QueueOptions,
  SendOptions,
  SendResult,
  Transport,
} from "#queue";
import { answered, Database, type Entry, type Stores } from "./database.ts";
import { missing, queueFailure, wrongType } from "./failure.ts";
import { withLock } from "./lock.ts";
import { attempt, delayAfter } from "./sending.ts";

const MEBIBYTE = 1024 * 1024;
const MAX_LABEL_CHARACTERS = 200;
const TIME_LIMIT = 300_000;
/** Then the way is taken to be closed, not the packets bad. */
const FAILURES_IN_A_ROW = 3;
const MAX_BEFORE_SPLITTER = 640;
const SPLITTER = "#KEY_SPLITTER#";

type Bytes = Uint8Array<ArrayBuffer>;

export async function openQueue(options: QueueOptions = {}): Promise<PacketQueue> {
  if (typeof options !== "object" || options === null) throw wrongType("options", "an object, or nothing");
  const { name = "kunji-queue", maxPackets = 1000, maxBytes = 1024 * MEBIBYTE } = options;
  const { now = () => new Date(), random = Math.random } = options;
  if (typeof name !== "string" || name === "") throw wrongType("options.name", "a string that is not empty");
  for (const [title, limit] of Object.entries({ maxPackets, maxBytes })) {
    if (!(Number.isSafeInteger(limit) && limit > 0)) throw wrongType(`options.${title}`, "a whole number above 0");
  }
  for (const [title, value] of Object.entries({ now, random })) {
    if (typeof value !== "function") throw wrongType(`options.${title}`, "a function, or nothing");
  }
  const database = new Database(name);
  // Fails here rather than when there is something to keep.
  await database.transact("readonly", async ({ entries }) => await answered(entries.count()));
  const isPersistent = await persisted();
  return new Queue({ name, maxPackets, maxBytes, now: () => now().getTime(), random, database, isPersistent });
}

/** Whether the browser promises not to delete what is stored here by itself. */
async function persisted(): Promise<boolean> {
  const storage = globalThis.navigator?.storage as StorageManager | undefined;
  try {
    return (await storage?.persist?.()) === true;
  } catch {
    return false;
  }
}

interface Settings {
  readonly name: string;
  readonly maxPackets: number;
  readonly maxBytes: number;
  readonly now: () => number;
  readonly random: () => number;
  readonly database: Database;
  readonly isPersistent: boolean;
}

class Queue implements PacketQueue {
  readonly isPersistent: boolean;
  readonly #settings: Settings;
  readonly #database: Database;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#database = settings.database;
    this.isPersistent = settings.isPersistent;
  }

  async enqueue(data: Input, recipient: Recipient, options: EnqueueOptions = {}): Promise<QueuedPacket> {
    const label = labelOf(options);
    const { registration, signal, onProgress } = options;
    const encrypt = registration === true ? encryptRegistrationPacket : encryptPacket;
    const packet = await encrypt(data, recipient, { signal, onProgress });
    return await this.#keep(packet, label);
  }

  async add(packet: BinaryInput, options: AddOptions = {}): Promise<QueuedPacket> {
    const label = labelOf(options);
    if (typeof packet === "string") throw wrongType("packet", "Uint8Array, ArrayBuffer or Blob");
    let bytes: Bytes;
    try {
      bytes = new Uint8Array(await new Blob([packet as Bytes]).arrayBuffer());
    } catch (cause) {
      const hint = "it may have been changed, moved or be too large since it was chosen; choose it again";
      throw new KunjiError("input.unreadable", "the packet cannot be read", hint, { cause });
    }
    if (!String.fromCharCode(...bytes.subarray(0, MAX_BEFORE_SPLITTER)).includes(SPLITTER)) {
      throw new KunjiError(
        "packet.splitter_missing",
        "the bytes are no packet: no splitter is where one should be",
        "encrypt them first: only what is encrypted is kept",
      );
    }
    return await this.#keep(bytes, label);
  }

  async #keep(packet: Bytes, label: string | undefined): Promise<QueuedPacket> {
    const { now, maxPackets, maxBytes } = this.#settings;
    const { length } = packet;
    const fresh = { id: newId(), label, length, addedAt: now(), attempts: 0, lastFailure: undefined, nextAttempt: 0 };
    const sequence = await this.#database.transact("readwrite", async ({ entries, packets }) => {
      const present: Entry[] = await answered(entries.getAll());
      const bytes = present.reduce((total, entry) => total + entry.length, length);
      if (present.length >= maxPackets || bytes > maxBytes) {
        throw queueFailure(
          "queue.full",
          `the queue holds ${present.length} packets, and takes ${maxPackets} and ${maxBytes} bytes at most`,
          "send what waits; the packet was not kept",
        );
      }
      const [key] = await Promise.all([answered(entries.add(fresh)), answered(packets.add(packet, fresh.id))]);
      return Number(key);
    });
    return shown({ ...fresh, sequence });
  }

  async list(): Promise<QueuedPacket[]> {
    const all = await this.#database.transact("readonly", async ({ entries }) => {
      return (await answered(entries.getAll())) as Entry[];
    });
    return all.map(shown);
  }

  async packet(id: string): Promise<Bytes> {
    const found = await this.#database.transact("readonly", async ({ packets }) => {
      return (await answered(packets.get(String(id)))) as Bytes | undefined;
    });
    if (!found) throw missing();
    return found;
  }

  async remove(id: string): Promise<void> {
    if (!(await this.#delete(String(id)))) throw missing();
  }

  async retry(id?: string): Promise<void> {
    await this.#database.transact("readwrite", async ({ entries }) => {
      const all: Entry[] = await answered(entries.getAll());
      const wanted = all.filter((entry) => id === undefined || entry.id === id);
      if (id !== undefined && wanted.length === 0) throw missing();
      await Promise.all(wanted.map((entry) => answered(entries.put({ ...entry, nextAttempt: 0 }))));
    });
  }

  async send(transport: Transport, options: SendOptions = {}): Promise<SendResult> {
    if (typeof transport !== "function") throw wrongType("transport", "a function that sends a packet");
    if (typeof options !== "object" || options === null) throw wrongType("options", "an object, or nothing");
    const { signal, timeLimit = TIME_LIMIT } = options;
    if (!(timeLimit > 0)) throw wrongType("options.timeLimit", "a number of milliseconds");
    signal?.throwIfAborted();
    const { name, now } = this.#settings;
    const run = () => this.#sendAll(transport, signal, timeLimit);
    const { sent, failed } = await withLock(`${name}.send`, this.#database, newId(), now, signal, run);
    return { sent, failed, waiting: (await this.list()).length };
  }

  close(): void {
    this.#database.close();
  }

  async #sendAll(transport: Transport, signal: AbortSignal | undefined, timeLimit: number) {
    let [sent, failed, inARow] = [0, 0, 0];
    let due = await this.#nextDue(0);
    while (due && inARow < FAILURES_IN_A_ROW) {
      const { entry, packet } = due;
      const { id, label, attempts } = entry;
      const failure = await attempt(transport, packet, { id, label, attempts }, timeLimit, signal);
      if (failure === undefined) {
        await this.#delete(id);
        sent += 1;
        inARow = 0;
      } else {
        await this.#postpone(entry, failure);
        failed += 1;
        inARow += 1;
      }
      due = await this.#nextDue(entry.sequence);
    }
    return { sent, failed };
  }

  /** The first packet behind `after` whose time has come. */
  async #nextDue(after: number): Promise<{ entry: Entry; packet: Bytes } | undefined> {
    const now = this.#settings.now();
    return await this.#database.transact("readonly", async ({ entries, packets }) => {
      const behind: Entry[] = await answered(entries.getAll(IDBKeyRange.lowerBound(after, true)));
      const entry = behind.find(({ nextAttempt }) => nextAttempt <= now);
      return entry && { entry, packet: (await answered(packets.get(entry.id))) as Bytes };
    });
  }

  async #postpone({ id }: Entry, lastFailure: string): Promise<void> {
    const { now, random } = this.#settings;
    await this.#database.transact("readwrite", async (stores) => {
      // It may have been removed meanwhile.
      const entry = await entryOf(stores, id);
      if (!entry) return;
      const attempts = entry.attempts + 1;
      const nextAttempt = now() + delayAfter(attempts, random());
      await answered(stores.entries.put({ ...entry, attempts, lastFailure, nextAttempt }));
    });
  }

  /** Whether it was there. */
  async #delete(id: string): Promise<boolean> {
    return await this.#database.transact("readwrite", async (stores) => {
      const entry = await entryOf(stores, id);
      if (!entry) return false;
      await Promise.all([answered(stores.entries.delete(entry.sequence)), answered(stores.packets.delete(id))]);
      return true;
    });
  }
}

async function entryOf({ entries }: Stores, id: string): Promise<Entry | undefined> {
  return await answered(entries.index("id").get(id));
}

function labelOf(options: AddOptions): string | undefined {
  if (typeof options !== "object" || options === null) throw wrongType("options", "an object, or nothing");
  const { label } = options;
  if (label === undefined) return undefined;
  if (typeof label === "string" && label.length <= MAX_LABEL_CHARACTERS) return label;
  throw wrongType("options.label", `a string of at most ${MAX_LABEL_CHARACTERS} characters`);
}

function shown({ id, label, length, addedAt, attempts, lastFailure, nextAttempt }: Entry): QueuedPacket {
  const after = nextAttempt === 0 ? undefined : new Date(nextAttempt);
  return { id, label, length, addedAt: new Date(addedAt), attempts, lastFailure, nextAttempt: after };
}

/** 128 random bits. `crypto.randomUUID` is not for every page. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
