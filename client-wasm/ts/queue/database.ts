// What waits, in IndexedDB: entries, which are small, apart from packets, so that listing reads none of these.

import { KunjiError } from "#client";
import { quotaExceeded, unavailable } from "./failure.ts";

export interface Entry {
  /** The order in which packets were added. Given by the database. */
  readonly sequence: number;
  readonly id: string;
  readonly label: string | undefined;
  readonly length: number;
  /** Milliseconds since 1970. */
  readonly addedAt: number;
  readonly attempts: number;
  readonly lastFailure: string | undefined;
  /** Milliseconds since 1970; 0: now. */
  readonly nextAttempt: number;
}

/** Who sends, where the browser has no locks. */
export interface Lease {
  readonly owner: string;
  readonly until: number;
}

export interface Stores {
  readonly entries: IDBObjectStore;
  readonly packets: IDBObjectStore;
  readonly leases: IDBObjectStore;
}

const STORES = ["entries", "packets", "leases"] as const;

export class Database {
  readonly #name: string;
  #opened: Promise<IDBDatabase> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Runs `use` in one transaction: all of it is on the disk when the promise resolves, or nothing of it is done. `use`
   * waits for nothing but requests of the stores.
   */
  async transact<T>(mode: IDBTransactionMode, use: (stores: Stores) => Promise<T>): Promise<T> {
    const transaction = await this.#begin(mode);
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
    // Waited for below, unless `use` failed before.
    done.catch(() => {});
    const [entries, packets, leases] = STORES.map((name) => transaction.objectStore(name)) as [
      IDBObjectStore,
      IDBObjectStore,
      IDBObjectStore,
    ];
    try {
      const result = await use({ entries, packets, leases });
      await done;
      return result;
    } catch (error) {
      abort(transaction);
      throw failureOf(error);
    }
  }

  close(): void {
    this.#opened?.then(
      (database) => database.close(),
      () => {},
    );
    this.#opened = undefined;
  }

  async #begin(mode: IDBTransactionMode): Promise<IDBTransaction> {
    try {
      return (await this.#open()).transaction(STORES, mode, { durability: "strict" });
    } catch (error) {
      if (error instanceof KunjiError) throw error;
      // The browser closed it meanwhile.
      this.#opened = undefined;
    }
    try {
      return (await this.#open()).transaction(STORES, mode, { durability: "strict" });
    } catch (error) {
      throw failureOf(error);
    }
  }

  #open(): Promise<IDBDatabase> {
    this.#opened ??= open(this.#name, () => {
      this.#opened = undefined;
    }).catch((error: unknown) => {
      this.#opened = undefined;
      throw failureOf(error);
    });
    return this.#opened;
  }
}

async function open(name: string, onClosed: () => void): Promise<IDBDatabase> {
  const opening = globalThis.indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    const entries = opening.result.createObjectStore("entries", { keyPath: "sequence", autoIncrement: true });
    entries.createIndex("id", "id", { unique: true });
    opening.result.createObjectStore("packets");
    opening.result.createObjectStore("leases");
  };
  const database = await answered(opening);
  database.onclose = onClosed;
  // A later version of this package, in another tab, is not kept waiting.
  database.onversionchange = () => {
    database.close();
    onClosed();
  };
  return database;
}

/** What a request answers. */
export function answered<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended.
  }
}

function failureOf(error: unknown): KunjiError {
  if (error instanceof KunjiError) return error;
  const { name } = (error ?? {}) as { name?: unknown };
  return name === "QuotaExceededError" ? quotaExceeded(error) : unavailable(error);
}
