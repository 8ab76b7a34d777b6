// Recipients that are kept and renewed, and those in a file.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, describe, mock, test } from "node:test";
import { encryptPacket, Recipient } from "@kunji/client";
import { KeyManagerClient, parseBundle } from "@kunji/client/recipients";
import { pkg } from "../scripts/paths.js";
import { launch, openPage } from "./support/chromium.js";
import { failure } from "./support/failure.js";
import { serve } from "./support/server.js";
import { certificates, recipients } from "./support/vectors.js";

const { base, module, root } = certificates;
const KUNJI = JSON.stringify({ certificate: base, chain: [module, root] });
const HOUR = 3_600_000;
const START = Date.parse("2026-01-15T00:00:00Z");
const name = { application: "REGISTRATION", reference: "10001_110011" };

let server;
let url;
/** What the server is asked, and what it answers: the last answer stays. */
let requests = [];
let answers = [];
/** The client's clock, and how long it slept. */
let clock;
let slept;

before(async () => {
  server = createServer((request, response) => {
    requests.push(request);
    response.sendDate = false;
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer(response, request);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${server.address().port}/base/`;
});

beforeEach(() => {
  requests = [];
  answers = [answer(KUNJI)];
  clock = START;
  slept = [];
});

after(() => {
  server.closeAllConnections();
  server.close();
});

const answer =
  (body, headers = {}, status = 200) =>
  (response) =>
    response.writeHead(status, headers).end(body);
const refuse = (status, headers) => answer("{}", headers, status);
const tagged = (response, request) =>
  request.headers["if-none-match"] === '"1"'
    ? response.writeHead(304, { etag: '"1"', "cache-control": "max-age=60" }).end()
    : response.writeHead(200, { etag: '"1"', "cache-control": "public, max-age=600" }).end(KUNJI);

const client = (options = {}) =>
  new KeyManagerClient({
    url,
    anchors: [root],
    now: () => new Date(clock),
    random: () => 0.5,
    sleep: async (milliseconds) => {
      slept.push(milliseconds);
    },
    ...options,
  });
const ask = (from, options) => from.recipient(name.application, name.reference, options);

/** Waits until `condition` has something to say, and returns it. */
async function until(condition) {
  const end = Date.now() + 10_000;
  for (;;) {
    const found = await condition();
    if (found) return found;
    assert.ok(Date.now() < end, "it did not come");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Waits until no renewal is due: what is held is handed out as it is. */
const settled = (from) =>
  until(async () => {
    const first = await ask(from);
    return first === (await ask(from));
  });

describe("a server is asked", () => {
  test("for a public certificate, without token", async () => {
    const recipient = await client().recipient("REGISTRATION", "a/b c");
    assert.ok(recipient instanceof Recipient);
    assert.equal(recipient.pem, base);
    const [{ url: path, headers }] = requests;
    assert.equal(path, "/base/v1/certificates/REGISTRATION/a%2Fb%20c");
    assert.equal(headers.accept, "application/json");
    assert.equal(headers.authorization, undefined);
    assert.equal(headers.cookie, undefined);
  });

  test("as MOSIP is, with a token that is renewed once if it is refused", async () => {
    const asked = [];
    const token = async (wasRefused) => {
      asked.push(wasRefused);
      return wasRefused ? "new" : "old";
    };
    const envelope = JSON.stringify({ response: { certificate: base }, errors: null });
    answers = [refuse(401), answer(envelope)];
    const recipient = await ask(client({ api: "mosip", anchors: [module], token }));
    assert.equal(recipient.pem, base);
    assert.deepEqual(asked, [false, true]);
    assert.deepEqual(
      requests.map(({ headers }) => [headers.authorization, headers.cookie]),
      [
        ["Bearer old", "Authorization=old"],
        ["Bearer new", "Authorization=new"],
      ],
    );
    const query = "applicationId=REGISTRATION&referenceId=10001_110011";
    assert.equal(requests[1].url, `/base/v1/keymanager/getCertificate?${query}`);

    answers = [refuse(401)];
    assert.equal((await failure(ask(client({ token })))).code, "network.refused");
    assert.deepEqual(asked, [false, true, false, true]);
  });

  test("and takes the token to no other", async () => {
    answers = [answer("", { location: "/elsewhere" }, 302)];
    assert.equal((await failure(ask(client({ token: () => "secret" })))).code, "network.unreachable");
    assert.ok(requests.every(({ url }) => url !== "/elsewhere"));
    answers = [answer("", { location: "/elsewhere" }, 302), answer(KUNJI)];
    assert.equal((await ask(client())).pem, base);
  });

  test("once by all who ask at the same time, until none of them waits any more", async () => {
    const held = [];
    answers = [(response) => held.push(response)];
    const from = client();
    const [one, two] = [new AbortController(), new AbortController()];
    const calls = [ask(from, { signal: one.signal }), ask(from, { signal: two.signal }), ask(from)];
    await until(() => held.length === 1);
    one.abort(new Error("enough"));
    await assert.rejects(calls[0], /enough/);
    held[0].end(KUNJI);
    assert.equal(await calls[1], await calls[2]);
    assert.equal(requests.length, 1);

    const other = client();
    const alone = ask(other, { signal: two.signal });
    await until(() => held.length === 2);
    const gone = new Promise((resolve) => held[1].on("close", resolve));
    two.abort();
    await assert.rejects(alone, { name: "AbortError" });
    await gone;
    await assert.rejects(ask(other, { signal: AbortSignal.abort() }), { name: "AbortError" });
    const again = ask(other);
    await until(() => held.length === 3);
    held[2].end(KUNJI);
    assert.equal((await again).pem, base);
  });
});

describe("what was fetched", () => {
  test("is kept as long as the server says, then renewed behind the caller's back, by its tag", async () => {
    answers = [tagged];
    const from = client();
    const recipient = await ask(from);
    clock += 599_999;
    assert.equal(await ask(from), recipient);
    assert.equal(requests.length, 1);
    clock += 1;
    assert.equal((await ask(from)).pem, base);
    await until(() => requests.length === 2);
    assert.equal(requests[1].headers["if-none-match"], '"1"');
    // That answer allows a minute: once it is here, nobody asks for so long.
    await settled(from);
    assert.equal(requests.length, 2);
    clock += 60_001;
    await until(async () => (await ask(from)) && requests.length === 3);
  });

  test("is replaced by what comes", async () => {
    const trusting = client({ anchors: [root, certificates.self_rsa4096] });
    assert.equal((await ask(trusting)).pem, base);
    answers = [answer(JSON.stringify({ certificate: certificates.self_rsa4096, chain: [] }))];
    clock += HOUR;
    assert.equal((await ask(trusting)).pem, base);
    await until(async () => (await ask(trusting)).pem === certificates.self_rsa4096);
    assert.equal(requests.length, 2);
  });

  test("is renewed well before it ends, however long it may be kept", async () => {
    answers = [answer(KUNJI, { "cache-control": "max-age=999999999" })];
    const from = client();
    const { notAfter } = await ask(from);
    clock += (notAfter.getTime() - START) / 3 - 1;
    await ask(from);
    assert.equal(requests.length, 1);
    clock += 2;
    await ask(from);
    await until(() => requests.length === 2);
  });

  test("is used while the server is away, which is asked more and more seldom, and not once it ended", async () => {
    const from = client();
    const { notAfter } = await ask(from);
    answers = [refuse(503)];
    const attempts = async () => {
      const before = requests.length;
      assert.equal((await ask(from)).pem, base);
      await settled(from);
      assert.equal(requests.length, before + 4);
    };
    clock += HOUR;
    await attempts();
    // Three quarters of a minute, with the random number of these tests.
    clock += 44_000;
    let quiet = requests.length;
    await ask(from);
    clock += 1_000;
    assert.equal(requests.length, quiet);
    await attempts();
    clock += 89_000;
    quiet = requests.length;
    await ask(from);
    assert.equal(requests.length, quiet);
    clock = notAfter.getTime() + 1000;
    assert.equal((await failure(ask(from))).code, "network.refused");
  });

  test("is not used once the server has it no more, or another that is not trusted", async () => {
    for (const [last, code] of [
      [refuse(404), "network.refused"],
      [answer(certificates.self_rsa4096), "recipient.untrusted"],
    ]) {
      answers = [answer(KUNJI)];
      const from = client();
      await ask(from);
      answers = [last];
      clock += HOUR;
      const { code: found } = await until(() =>
        ask(from).then(
          () => undefined,
          (error) => error,
        ),
      );
      assert.equal(found, code);
    }
  });
});

describe("a server that is busy", () => {
  test("is asked again after delays that double, drawn at random", async () => {
    answers = [refuse(503), refuse(429), (response) => response.destroy(), answer(KUNJI)];
    assert.equal((await ask(client())).pem, base);
    assert.deepEqual(slept, [500, 1000, 2000]);
  });

  test("four times at most", async () => {
    answers = [refuse(500)];
    assert.equal((await failure(ask(client()))).code, "network.refused");
    assert.equal(requests.length, 4);
  });

  test("not before it says, nor at all if that is long", async () => {
    answers = [refuse(503, { "retry-after": "7" }), answer(KUNJI)];
    await ask(client());
    assert.deepEqual(slept, [7000]);
    answers = [refuse(503, { "retry-after": "31" })];
    requests = [];
    assert.equal((await failure(ask(client()))).code, "network.refused");
    assert.equal(requests.length, 1);
  });

  test("but not if it refuses for good", async () => {
    for (const [status, body, code] of [
      [404, "{}", "network.refused"],
      [200, "<!doctype html>", "network.response"],
      [200, certificates.self_rsa4096, "recipient.untrusted"],
    ]) {
      answers = [answer(body, {}, status)];
      requests = [];
      assert.equal((await failure(ask(client()))).code, code);
      assert.equal(requests.length, 1);
    }
  });
});

test("a clock that is far off the server's is told", async () => {
  answers = [answer(KUNJI, { date: "Thu, 15 Jan 2026 12:00:00 GMT" })];
  const from = client({ now: undefined });
  assert.equal(from.clockSkew, undefined);
  mock.timers.enable({ apis: ["Date"], now: new Date("2026-01-15T11:00:00Z") });
  try {
    await ask(from);
    assert.equal(from.clockSkew, HOUR);
    mock.timers.setTime(Date.parse("2046-01-15T12:00:00Z"));
    assert.equal((await failure(ask(from))).code, "recipient.clock");
    assert.ok(from.clockSkew < -19 * 365 * 24 * HOUR);
  } finally {
    mock.timers.reset();
  }
});

describe("a bundle", () => {
  const options = { ...name, anchors: [root], now: new Date(START) };

  test("has what the server said, and is checked like it", async () => {
    const bundle = await client().bundle([name]);
    const { recipient, fetchedAt } = await parseBundle(bundle, options);
    assert.ok(recipient instanceof Recipient);
    assert.equal(recipient.pem, base);
    assert.deepEqual(fetchedAt, new Date(START));
    assert.deepEqual(JSON.parse(bundle), {
      format: "kunji.recipients/1",
      recipients: [
        { ...name, certificate: base, chain: [module.trim(), root.trim()], fetchedAt: new Date(START).toISOString() },
      ],
    });
    const code = async (changed) => (await failure(parseBundle(bundle, { ...options, ...changed }))).code;
    assert.equal(await code({ anchors: [] }), "anchors.missing");
    assert.equal(await code({ anchors: [certificates.self_rsa4096] }), "recipient.untrusted");
    assert.equal(await code({ now: new Date("2046-01-01") }), "recipient.expired");
    assert.equal(await code({ reference: "other" }), "bundle.missing");
    const forged = bundle.replace(JSON.stringify(base), JSON.stringify(certificates.base_forged));
    assert.equal((await failure(parseBundle(forged, options))).code, "recipient.signature");
  });

  test("tells a clock that is behind it", async () => {
    const bundle = await client().bundle([name]);
    mock.timers.enable({ apis: ["Date"], now: new Date("2016-01-01T00:00:00Z") });
    try {
      const error = await failure(parseBundle(bundle, { ...name, anchors: [root] }));
      assert.equal(error.code, "recipient.clock");
      assert.equal(error.cause.code, "recipient.not_yet_valid");
    } finally {
      mock.timers.reset();
    }
  });

  test("serves where the server cannot be reached, and until it can", async () => {
    const bundle = await client().bundle([name]);
    answers = [(response) => response.destroy()];
    requests = [];
    const from = client({ bundle });
    assert.equal((await ask(from)).pem, base);
    await until(() => requests.length === 4);
    assert.equal(
      (await failure(ask(client({ bundle, anchors: [certificates.self_rsa4096] })))).code,
      "network.unreachable",
    );
    assert.equal((await failure(ask(client({ bundle, anchors: [] })))).code, "anchors.missing");
  });

  test("of another form is refused", async () => {
    for (const text of [
      "",
      "null",
      "[]",
      "{}",
      '{"format":"kunji.recipients/1"}',
      '{"format":"kunji.recipients/2","recipients":[]}',
      '{"format":"kunji.recipients/1","recipients":[null]}',
      '{"format":"kunji.recipients/1","recipients":[{}]}',
      " ".repeat(9e6),
    ]) {
      assert.equal((await failure(parseBundle(text, options))).code, "bundle.malformed");
      assert.throws(() => client({ bundle: text }), { code: "bundle.malformed" });
    }
    assert.equal((await failure(parseBundle(undefined, options))).code, "input.type");
  });
});

test("arguments of other types are refused", async () => {
  for (const other of [null, {}, { url: "/x" }, { url: url.replace("//", "//user:secret@") }, { url, anchors: root }]) {
    assert.throws(() => new KeyManagerClient(other), { code: "input.type" });
  }
  for (const other of [{ api: "x" }, { token: "x" }, { fetch: 1 }, { now: START }, { random: 1 }, { sleep: 1 }]) {
    assert.throws(() => client(other), { code: "input.type" });
  }
  for (const token of ["", "a b", "a\nb", undefined]) {
    assert.equal((await failure(ask(client({ token: () => token })))).code, "input.type");
  }
  assert.equal((await failure(client().recipient("", "x"))).code, "input.type");
  assert.equal((await failure(client().recipient("x"))).code, "input.type");
  assert.equal((await failure(client().bundle([]))).code, "input.type");
  assert.equal(requests.length, 0);
});

test("in Chromium, a page has one from its server and then from a file", async () => {
  const { certificate_pem: pem } = recipients.rsa2048;
  const tags = [];
  const pages = await serve({
    "/client/": `${pkg}/`,
    "/v1/certificates/A/B": (request, response) => {
      tags.push(request.headers["if-none-match"]);
      if (tags.length > 2) return response.destroy();
      response.setHeader("etag", '"1"').setHeader("cache-control", "max-age=0");
      if (tags.length === 2) return response.writeHead(304).end();
      response.end(JSON.stringify({ certificate: pem, chain: [] }));
    },
  });
  const browser = await launch();
  try {
    const { page, close } = await openPage(browser, pages.url);
    const lengths = await page.evaluate(async (pem) => {
      const { encryptPacket } = await import("/client/browser.js");
      const { KeyManagerClient, parseBundle } = await import("/client/recipients.js");
      let time = Date.parse("2027-01-01");
      const now = () => new Date(time);
      const sleep = async () => {};
      const from = new KeyManagerClient({ url: "/", anchors: [pem], now, sleep });
      const first = await from.recipient("A", "B");
      time += 3_600_000;
      await from.recipient("A", "B");
      const bundle = await from.bundle([{ application: "A", reference: "B" }]);
      const { recipient } = await parseBundle(bundle, { application: "A", reference: "B", anchors: [pem], now: now() });
      return [(await encryptPacket("text", first)).length, (await encryptPacket("text", recipient)).length];
    }, pem);
    assert.deepEqual(lengths, [360, 360]);
    assert.deepEqual(tags.slice(0, 2), [undefined, '"1"']);
    await close();
  } finally {
    await browser.close();
    await pages.close();
  }
});

test("its recipients are those of the package", async () => {
  assert.equal((await encryptPacket("text", await ask(client()))).length, 360);
});
