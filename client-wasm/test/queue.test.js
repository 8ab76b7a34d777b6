// Packets that wait, in Chromium, with all that can come between: reloads, kills, other tabs, networks and full disks.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { decryptPacket, decryptRegistrationPacket } from "@kunji/client";
import { openQueue } from "@kunji/client/queue";
import { pkg } from "../scripts/paths.js";
import { launch, launchToKill } from "./support/chromium.js";
import { serve } from "./support/server.js";
import { recipients } from "./support/vectors.js";

const { certificate_pem: pem, private_key_pkcs8_pem: privatePem } = recipients.rsa2048;

let browser;
let server;
let key;
/** What arrived: id and bytes. What is answered: a status, or nothing yet. */
let arrived;
let respond;
let context;

before(async () => {
  browser = await launch();
  server = await serve({
    "/client/": `${pkg}/`,
    "/packets/": async (request, response) => {
      const bytes = Buffer.concat(await request.toArray());
      arrived.push({ id: request.url.split("/").at(-1), bytes });
      respond(response);
    },
  });
  const der = Buffer.from(privatePem.replaceAll(/-----.*?-----|\s/g, ""), "base64");
  key = await crypto.subtle.importKey("pkcs8", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["decrypt"]);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

beforeEach(async () => {
  arrived = [];
  respond = accept;
  context = await browser.newContext();
});
afterEach(() => context.close());

const accept = (response) => response.writeHead(201).end();

/** What pages have at hand. */
async function prepare(page, url = server.url) {
  await page.goto(url);
  await page.evaluate(async (pem) => {
    const { parseRecipient } = await import("/client/browser.js");
    const { openQueue } = await import("/client/queue.js");
    let ahead = 0;
    const recipient = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
    const queue = await openQueue({ now: () => new Date(Date.now() + ahead), random: () => 1 });
    const transport = async (packet, { id, signal }) => {
      return (await fetch(`/packets/${id}`, { method: "POST", body: packet, signal })).ok;
    };
    const attempt = (work) =>
      work().then(
        (value) => value,
        (error) => ({ code: error.code ?? error.name, hint: error.hint }),
      );
    const later = (milliseconds) => {
      ahead += milliseconds;
    };
    globalThis.test = { openQueue, recipient, queue, transport, attempt, later };
  }, pem);
  return page;
}

const open = async (init = () => {}) => {
  const page = await context.newPage();
  await page.addInitScript(init);
  return await prepare(page);
};

const enqueue = (page, ...texts) =>
  page.evaluate(async (texts) => {
    const ids = [];
    for (const text of texts) ids.push((await test.queue.enqueue(text, test.recipient)).id);
    return ids;
  }, texts);
const list = (page) => page.evaluate(() => test.queue.list());
const send = (page) => page.evaluate(() => test.attempt(() => test.queue.send(test.transport)));
const opened = async ({ bytes }) => new TextDecoder().decode(await decryptPacket(bytes, key));

async function until(condition) {
  const end = Date.now() + 20_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, "it did not come");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("a packet that waits", () => {
  test("is encrypted, listed, sent in its turn, and then gone", async () => {
    const page = await open();
    const ids = await enqueue(page, "one", "two");
    const registration = await page.evaluate(async () => {
      const { id } = await test.queue.enqueue("three", test.recipient, { registration: true, label: "10001-7" });
      return id;
    });
    const all = await list(page);
    assert.deepEqual(
      all.map(({ id, label, attempts, lastFailure, nextAttempt }) => [id, label, attempts, lastFailure, nextAttempt]),
      [...ids, registration].map((id) => [id, id === registration ? "10001-7" : undefined, 0, undefined, undefined]),
    );
    assert.deepEqual(await send(page), { sent: 3, failed: 0, waiting: 0 });
    assert.deepEqual(
      arrived.map(({ id }) => id),
      [...ids, registration],
    );
    assert.equal(await opened(arrived[1]), "two");
    assert.equal(new TextDecoder().decode(await decryptRegistrationPacket(arrived[2].bytes, key)), "three");
    assert.deepEqual(await list(page), []);
  });

  test("is nothing but ciphertext on the disk", async () => {
    const page = await open();
    await enqueue(page, "a name that must not be found");
    const stored = await page.evaluate(async () => {
      const database = await new Promise((resolve) => {
        const opening = indexedDB.open("kunji-queue");
        opening.onsuccess = () => resolve(opening.result);
      });
      const read = (store) =>
        new Promise((resolve) => {
          const reading = database.transaction(store).objectStore(store).getAll();
          reading.onsuccess = () => resolve(reading.result);
        });
      const packets = await read("packets");
      return { entries: JSON.stringify(await read("entries")), bytes: packets.map((bytes) => [...bytes]) };
    });
    assert.doesNotMatch(stored.entries, /name/);
    assert.equal(await opened({ bytes: Uint8Array.from(stored.bytes[0]) }), "a name that must not be found");
  });

  test("can be taken out and removed, by who asks for it", async () => {
    const page = await open();
    const [one, two] = await enqueue(page, "one", "two");
    const bytes = await page.evaluate(async (id) => [...(await test.queue.packet(id))], one);
    assert.equal(await opened({ bytes: Uint8Array.from(bytes) }), "one");
    await page.evaluate((id) => test.queue.remove(id), one);
    assert.deepEqual(
      (await list(page)).map(({ id }) => id),
      [two],
    );
    const codes = await page.evaluate(async (id) => {
      const { queue, attempt } = test;
      const all = [() => queue.remove(id), () => queue.packet(id), () => queue.retry(id)];
      return (await Promise.all(all.map(attempt))).map(({ code }) => code);
    }, one);
    assert.deepEqual(codes, ["queue.missing", "queue.missing", "queue.missing"]);
  });
});

describe("a packet that was not acknowledged", () => {
  test("stays and waits, longer each time, unless it is to be tried again", async () => {
    const page = await open();
    const [id] = await enqueue(page, "text");
    respond = (response) => response.writeHead(500).end();
    assert.deepEqual(await send(page), { sent: 0, failed: 1, waiting: 1 });
    const [{ attempts, lastFailure }] = await list(page);
    assert.deepEqual([attempts, lastFailure], [1, "not_acknowledged"]);
    respond = (response) => response.destroy();
    // Half a minute, with the random number of these tests; then a minute.
    for (const [milliseconds, failed] of [
      [29_000, 0],
      [1_001, 1],
      [59_000, 0],
    ]) {
      await page.evaluate((milliseconds) => test.later(milliseconds), milliseconds);
      assert.deepEqual(await send(page), { sent: 0, failed, waiting: 1 });
    }
    assert.equal((await list(page))[0].lastFailure, "TypeError");
    respond = accept;
    await page.evaluate((id) => test.queue.retry(id), id);
    assert.deepEqual(await send(page), { sent: 1, failed: 0, waiting: 0 });
    assert.ok(arrived.every((packet) => packet.id === id));
  });

  test("stays whatever the transport does but say yes", async () => {
    const page = await open();
    await enqueue(page, "text");
    const failures = await page.evaluate(async () => {
      const failures = [];
      const transports = [
        () => undefined,
        () => "true",
        () => new Response(null, { status: 500 }),
        () => {
          throw new DOMException("with a name in it", "NetworkError");
        },
        () => Promise.reject(undefined),
        () => new Promise(() => {}),
      ];
      for (const transport of transports) {
        await test.queue.retry();
        const { sent, failed, waiting } = await test.queue.send(transport, { timeLimit: 20 });
        failures.push([sent, failed, waiting, (await test.queue.list())[0].lastFailure]);
      }
      return failures;
    });
    const names = ["not_acknowledged", "not_acknowledged", "not_acknowledged", "NetworkError", "not_acknowledged"];
    assert.deepEqual(
      failures,
      [...names, "TimeoutError"].map((name) => [0, 1, 1, name]),
    );
  });

  test("does not hold up the others, unless three fail in a row", async () => {
    const page = await open();
    await enqueue(page, "1", "2", "3", "4", "5", "6", "7");
    const refused = new Set([0, 2, 3, 4]);
    respond = (response) => response.writeHead(refused.has(arrived.length - 1) ? 503 : 201).end();
    assert.deepEqual(await send(page), { sent: 1, failed: 4, waiting: 6 });
    assert.equal(arrived.length, 5);
  });

  test("stays if sending is aborted, and counts no attempt", async () => {
    const page = await open();
    await enqueue(page, "text");
    respond = () => {};
    const ended = page.evaluate(() => {
      test.controller = new AbortController();
      return test.attempt(() => test.queue.send(test.transport, { signal: test.controller.signal }));
    });
    await until(() => arrived.length === 1);
    await page.evaluate(() => test.controller.abort());
    assert.equal((await ended).code, 20);
    assert.equal((await list(page))[0].attempts, 0);
    respond = accept;
    assert.deepEqual(await send(page), { sent: 1, failed: 0, waiting: 0 });
  });
});

for (const [what, init] of [
  ["with the browser's locks", undefined],
  ["without them", () => Object.defineProperty(Navigator.prototype, "locks", { value: undefined })],
]) {
  describe(`several tabs, ${what}`, () => {
    test("send each packet once, and lose none that is added meanwhile", async () => {
      const [one, two] = [await open(init), await open(init)];
      const texts = Array.from({ length: 12 }, (_, index) => `text ${index}`);
      const ids = await enqueue(one, ...texts);
      const [first, second, more] = await Promise.all([send(one), send(two), enqueue(two, "more", "and more")]);
      const third = await send(one);
      assert.equal(first.sent + second.sent + third.sent, 14);
      assert.equal(third.waiting, 0);
      assert.deepEqual(arrived.map(({ id }) => id).sort(), [...ids, ...more].sort());
    });

    test("a reload while a packet is under way leaves it to be sent again, by its id", async () => {
      const page = await open(init);
      const ids = await enqueue(page, "one", "two");
      respond = (response) => (arrived.length === 1 ? accept(response) : undefined);
      page.evaluate(() => test.queue.send(test.transport)).catch(() => {});
      await until(() => arrived.length === 2);
      await page.reload();
      respond = accept;
      await prepare(page);
      assert.deepEqual(
        (await list(page)).map(({ id, attempts }) => [id, attempts]),
        [[ids[1], 0]],
      );
      // A lease outlives its tab.
      await page.evaluate(() => test.later(180_001));
      assert.deepEqual(await send(page), { sent: 1, failed: 0, waiting: 0 });
      assert.deepEqual(
        arrived.map(({ id }) => id),
        [ids[0], ids[1], ids[1]],
      );
    });

    test("the next one sends when the first is closed", async () => {
      const [one, two] = [await open(init), await open(init)];
      const [id] = await enqueue(one, "text");
      respond = () => {};
      one.evaluate(() => test.queue.send(test.transport)).catch(() => {});
      await until(() => arrived.length === 1);
      respond = accept;
      const sent = send(two);
      await one.close();
      await two.evaluate(() => test.later(180_001));
      assert.deepEqual(await sent, { sent: 1, failed: 0, waiting: 0 });
      assert.deepEqual(
        arrived.map((packet) => packet.id),
        [id, id],
      );
    });
  });
}

test("a packet that was acknowledged to be kept outlives the browser's being killed", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kunji-profile-"));
  const started = [];
  const start = async () => {
    started.push(await launchToKill(directory));
    return await prepare(started.at(-1).page);
  };
  try {
    const ids = await enqueue(await start(), "one", "two");
    await started[0].kill();
    const page = await start();
    assert.deepEqual(
      (await list(page)).map(({ id }) => id),
      ids,
    );
    assert.deepEqual(await send(page), { sent: 2, failed: 0, waiting: 0 });
    assert.deepEqual(await Promise.all(arrived.map(opened)), ["one", "two"]);
  } finally {
    for (const { kill } of started) await kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 10 });
  }
});

describe("no more room", () => {
  test("in the queue: what is there stays", async () => {
    const page = await open();
    const codes = await page.evaluate(async () => {
      const { openQueue, recipient, attempt } = test;
      const codes = [];
      for (const limits of [{ maxPackets: 2 }, { maxBytes: 2 * 357 }]) {
        const queue = await openQueue({ name: JSON.stringify(limits), ...limits });
        const results = [];
        for (const text of ["1", "2", "3"]) results.push(await attempt(() => queue.enqueue(text, recipient)));
        codes.push([...results.map(({ code }) => code), (await queue.list()).length]);
      }
      return codes;
    });
    assert.deepEqual(codes, [
      [undefined, undefined, "queue.full", 2],
      [undefined, undefined, "queue.full", 2],
    ]);
  });

  test("on the disk: what is there stays, and can be sent", async () => {
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    const { origin } = new URL(server.url);
    await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1_000_000 });
    await prepare(page);
    const ids = await enqueue(page, "one");
    const { code } = await page.evaluate(() => {
      return test.attempt(() => test.queue.enqueue(new Uint8Array(3_000_000), test.recipient));
    });
    assert.equal(code, "queue.quota");
    assert.deepEqual(
      (await list(page)).map(({ id }) => id),
      ids,
    );
    assert.deepEqual(await send(page), { sent: 1, failed: 0, waiting: 0 });
    await enqueue(page, "two");
    assert.equal((await list(page)).length, 1);
  });
});

test("whether the browser promised to keep it is told", async () => {
  for (const [answer, expected] of [
    [async () => true, true],
    [async () => false, false],
    [async () => Promise.reject(new Error("no")), false],
    [undefined, false],
  ]) {
    const page = await context.newPage();
    const init = `Object.defineProperty(StorageManager.prototype, "persist", { value: ${answer} })`;
    await page.addInitScript(init);
    await prepare(page);
    assert.equal(await page.evaluate(() => test.queue.isPersistent), expected);
  }
});

test("a queue that was closed, or whose database another version wants, opens again", async () => {
  const page = await open();
  await enqueue(page, "one");
  await page.evaluate(() => test.queue.close());
  await enqueue(page, "two");
  assert.equal((await list(page)).length, 2);
  const deleted = await page.evaluate(async () => {
    const deleting = indexedDB.deleteDatabase("kunji-queue");
    return await new Promise((resolve) => {
      deleting.onsuccess = () => resolve(true);
    });
  });
  assert.equal(deleted, true);
  await enqueue(page, "three");
  assert.equal((await list(page)).length, 1);
});

test("what is no packet is not kept, nor what cannot be encrypted", async () => {
  const page = await open();
  const codes = await page.evaluate(async () => {
    const { openQueue, queue, recipient, attempt, transport } = test;
    const calls = [
      () => queue.add(new TextEncoder().encode('{"name":"Asha"}')),
      () => queue.add("text"),
      () => queue.add(new Uint8Array(600), { label: "x".repeat(201) }),
      () => queue.enqueue("", recipient),
      () => queue.enqueue("text", {}),
      () => queue.enqueue("text", recipient, { label: 5 }),
      () => queue.enqueue("text", recipient, { signal: AbortSignal.abort() }),
      () => queue.send("transport"),
      () => queue.send(transport, { timeLimit: 0 }),
      () => openQueue({ name: "" }),
      () => openQueue({ maxPackets: 0 }),
      () => openQueue({ now: 5 }),
    ];
    const results = [];
    for (const call of calls) results.push((await attempt(call)).code);
    return [...results, (await queue.list()).length];
  });
  const type = "input.type";
  assert.deepEqual(codes, [
    "packet.splitter_missing",
    type,
    type,
    "packet.empty_content",
    type,
    type,
    20,
    type,
    type,
    type,
    type,
    type,
    0,
  ]);
});

test("a packet that was made elsewhere is kept as it is", async () => {
  const page = await open();
  const length = await page.evaluate(async () => {
    const { encryptPacket, encryptRegistrationPacket } = await import("/client/browser.js");
    for (const encrypt of [encryptPacket, encryptRegistrationPacket]) {
      await test.queue.add(new Blob([await encrypt("text", test.recipient)]));
    }
    return (await test.queue.list()).length;
  });
  assert.equal(length, 2);
  await send(page);
  assert.equal(await opened(arrived[0]), "text");
});

test("where there is no database, that is told at once", async () => {
  await assert.rejects(openQueue(), { code: "queue.unavailable", name: "KunjiError" });
});
