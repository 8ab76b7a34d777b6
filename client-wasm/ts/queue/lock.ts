// One sends at a time, of all tabs: by a lock of the browser, which goes with its tab, or else by a lease.

import { answered, type Database, type Lease } from "./database.ts";

/** Longer than a tab in the background may be kept from renewing it. */
const LEASE_MILLISECONDS = 180_000;
const RENEW_MILLISECONDS = 30_000;
const LOOK_MILLISECONDS = 250;

const KEY = "send";

export async function withLock<T>(
  name: string,
  database: Database,
  owner: string,
  now: () => number,
  signal: AbortSignal | undefined,
  use: () => Promise<T>,
): Promise<T> {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  if (locks) return (await locks.request(name, signal ? { signal } : {}, use)) as T;
  await takeLease(database, owner, now, signal);
  // What does not work now may the next time. At worst a packet is sent twice.
  const timer = setInterval(() => renew(database, owner, now).catch(() => {}), RENEW_MILLISECONDS);
  try {
    return await use();
  } finally {
    clearInterval(timer);
    // One that stays ends by itself.
    await release(database, owner).catch(() => {});
  }
}

async function release(database: Database, owner: string): Promise<void> {
  await database.transact("readwrite", async ({ leases }) => {
    const lease: Lease | undefined = await answered(leases.get(KEY));
    if (lease?.owner === owner) await answered(leases.delete(KEY));
  });
}

async function takeLease(
  database: Database,
  owner: string,
  now: () => number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    if (await renew(database, owner, now)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
  }
}

/** Whether the lease is `owner`'s now. */
async function renew(database: Database, owner: string, now: () => number): Promise<boolean> {
  return await database.transact("readwrite", async ({ leases }) => {
    const lease: Lease | undefined = await answered(leases.get(KEY));
    // One that ends later than any can was taken by another clock.
    const isTaken = lease && lease.until > now() && lease.until <= now() + LEASE_MILLISECONDS;
    if (isTaken && lease.owner !== owner) return false;
    await answered(leases.put({ owner, until: now() + LEASE_MILLISECONDS } satisfies Lease, KEY));
    return true;
  });
}
