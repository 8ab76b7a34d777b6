// Certificates from a server.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { after, before, describe, mock, test } from "node:test";
import { fetchRecipient, Recipient } from "@kunji/client";
import { failure } from "./support/failure.js";
import { certificates } from "./support/vectors.js";

const { base, module, root } = certificates;
const now = new Date("2026-01-15T00:00:00Z");
const options = { anchors: [root], now };
const KUNJI = JSON.stringify({ certificate: base, chain: [module, root] });

let server;
let address;
/** What the server answers next. */
let answer;
let lastRequest;

before(async () => {
  server = createServer((request, response) => {
    lastRequest = request;
    response.sendDate = false;
    answer(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${server.address().port}/v1/certificates/REGISTRATION/10001_110011`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

const answerWith = (body, headers = {}, status = 200) => {
  answer = (response) => response.writeHead(status, headers).end(body);
};

describe("a certificate is read", () => {
  for (const [form, body] of [
    ["the JSON of Kunji", KUNJI],
    ["PEM with its chain", base + module],
    ["PEM after blank lines", `\r\n\n${base}${module}`],
  ]) {
    test(`as ${form}`, async () => {
      answerWith(body);
      const recipient = await fetchRecipient(address, options);
      assert.ok(recipient instanceof Recipient);
      assert.equal(recipient.pem, base);
    });
  }

  test("as the envelope of MOSIP", async () => {
    const response = { certificate: base, certSignRequest: null, issuedAt: "2026-01-01T00:00:00.000Z" };
    answerWith(JSON.stringify({ id: null, version: null, response, errors: null }));
    assert.equal((await fetchRecipient(new URL(address), { anchors: [module], now })).pem, base);
  });

  test("without credentials, asking for JSON", async () => {
    answerWith(KUNJI);
    await fetchRecipient(address, options);
    assert.equal(lastRequest.headers.accept, "application/json");
    assert.equal(lastRequest.headers.cookie, undefined);
    assert.equal(lastRequest.headers.authorization, undefined);
  });

  test("by the fetch that is given", async () => {
    const calls = [];
    const fetch = async (url, init) => {
      calls.push([url, init.credentials, init.cache]);
      return new Response(KUNJI);
    };
    await fetchRecipient("https://example.org/certificate", { ...options, fetch });
    assert.deepEqual(calls, [["https://example.org/certificate", "omit", "no-cache"]]);
  });

  test("and checked", async () => {
    answerWith(JSON.stringify({ certificate: base, chain: [] }));
    assert.equal((await failure(fetchRecipient(address, options))).code, "recipient.untrusted");
    answerWith(KUNJI);
    assert.equal((await failure(fetchRecipient(address, { ...options, anchors: [] }))).code, "anchors.missing");
  });
});

describe("a wrong clock", () => {
  const SERVER_TIME = { date: "Thu, 15 Jan 2026 12:00:00 GMT" };
  const fetchAt = async (now) => {
    mock.timers.enable({ apis: ["Date"], now: new Date(now) });
    try {
      return await failure(fetchRecipient(address, { anchors: [root] }));
    } finally {
      mock.timers.reset();
    }
  };

  test("is told, by the server's", async () => {
    answerWith(KUNJI, { date: "Thu, 15 Jan 2026 12:00:00 GMT" });
    for (const [here, cause] of [
      ["2016-01-01T00:00:00Z", "recipient.not_yet_valid"],
      ["2046-01-01T00:00:00Z", "recipient.expired"],
    ]) {
      const error = await fetchAt(here);
      assert.equal(error.code, "recipient.clock");
      assert.match(error.message, new RegExp(`${here.slice(0, 4)}.*2026-01-15T12:00:00`));
      assert.equal(error.cause.code, cause);
    }
  });

  test("is not blamed for a certificate that is not valid by the server's clock either", async () => {
    answerWith(KUNJI, { date: "Sun, 15 Jan 2040 12:00:00 GMT" });
    assert.equal((await fetchAt("2046-01-01T00:00:00Z")).code, "recipient.expired");
  });

  test("is not blamed where the server says no time, or none that is one", async () => {
    answerWith(KUNJI);
    assert.equal((await fetchAt("2046-01-01T00:00:00Z")).code, "recipient.expired");
    for (const date of ["soon", "2026", "2026-01-15T12:00:00Z", "Fri, 15 Jan 2026 12:00:00 GMT", "2026-01-15"]) {
      answerWith(KUNJI, { date });
      assert.equal((await fetchAt("2046-01-01T00:00:00Z")).code, "recipient.expired", date);
    }
  });

  test("is not blamed for an answer that waited in a cache", async () => {
    answerWith(KUNJI, { ...SERVER_TIME, age: "500000000" });
    assert.equal((await fetchAt("2046-01-01T00:00:00Z")).code, "recipient.expired");
    answerWith(KUNJI, { ...SERVER_TIME, age: "0" });
    assert.equal((await fetchAt("2046-01-01T00:00:00Z")).code, "recipient.clock");
  });

  test("is not blamed where the caller said the time", async () => {
    answerWith(KUNJI, SERVER_TIME);
    const call = fetchRecipient(address, { anchors: [root], now: new Date("2046-01-01T00:00:00Z") });
    assert.equal((await failure(call)).code, "recipient.expired");
  });

  test("is not blamed for a certificate that is refused for another reason", async () => {
    answerWith(certificates.base_signing + module, { date: "Thu, 15 Jan 2026 12:00:00 GMT" });
    assert.equal((await fetchAt("2026-01-15T00:00:00Z")).code, "recipient.key_usage");
  });
});

describe("an answer that is no certificate", () => {
  for (const [what, body] of [
    ["nothing", ""],
    ["a page", "<!doctype html><title>Sign in</title>"],
    ["other JSON", "[1]"],
    ["null", "null"],
    ["JSON without one", '{"chain":[]}'],
    ["a chain that is none", JSON.stringify({ certificate: base, chain: "x" })],
    ["a chain of numbers", JSON.stringify({ certificate: base, chain: [1] })],
    ["a MOSIP error", JSON.stringify({ response: null, errors: [{ errorCode: "KER-KMS-012", message: "no" }] })],
    ["a MOSIP error beside a certificate", JSON.stringify({ response: { certificate: base }, errors: [{}] })],
    ["MOSIP errors of another form", JSON.stringify({ response: { certificate: base }, errors: "no" })],
    ["no certificate before a chain", JSON.stringify({ certificate: "", chain: [base, module] })],
    ["text before a chain", JSON.stringify({ certificate: "text", chain: [base, module] })],
    ["two certificates for one", JSON.stringify({ certificate: base + module })],
    ["text around a certificate", JSON.stringify({ certificate: `text\n${base}` })],
    ["too much", base.repeat(500)],
  ]) {
    test(what, async () => {
      answerWith(body);
      assert.equal((await failure(fetchRecipient(address, options))).code, "network.response");
    });
  }

  test("PEM that is damaged", async () => {
    answerWith(base.slice(0, 300));
    assert.equal((await failure(fetchRecipient(address, options))).code, "pem.damaged");
  });

  test("one without end is not read to the end", async () => {
    let isClosed = false;
    answer = (response) => {
      const send = () => {
        while (!isClosed && response.write("x".repeat(65536)));
      };
      response.on("drain", send).on("close", () => {
        isClosed = true;
      });
      send();
    };
    assert.equal((await failure(fetchRecipient(address, options))).code, "network.response");
  });
});

describe("a server that is away", () => {
  test("does not answer at all", async () => {
    const error = await failure(fetchRecipient("http://127.0.0.1:1/", options));
    assert.equal(error.code, "network.unreachable");
    assert.ok(error.cause);
  });

  test("breaks off", async () => {
    answer = (response) => {
      response.writeHead(200, { "content-length": 1000 }).write("-----BEGIN");
      setImmediate(() => response.destroy());
    };
    assert.equal((await failure(fetchRecipient(address, options))).code, "network.unreachable");
  });

  test("never answers, or stops, whether fetch can be aborted or not", async () => {
    const deaf = () => new Promise(() => {});
    for (const [fetch, head] of [[undefined], [undefined, "-----BEGIN"], [deaf]]) {
      mock.timers.enable({ apis: ["setTimeout"] });
      try {
        const asked = new Promise((resolve) => {
          answer = (response) => {
            if (head) response.write(head);
            resolve();
          };
        });
        const call = failure(fetchRecipient(address, { ...options, fetch }));
        if (!fetch) await asked;
        mock.timers.tick(29_999);
        assert.equal(
          await Promise.race([call, new Promise((resolve) => setImmediate(() => resolve()))]),
          undefined,
          "it gave up too early",
        );
        mock.timers.tick(1);
        const error = await call;
        assert.equal(error.code, "network.unreachable");
        assert.match(error.message, /30 seconds/);
      } finally {
        mock.timers.reset();
      }
    }
  });

  test("refuses", async () => {
    for (const status of [401, 404, 429, 500, 503]) {
      answerWith("{}", {}, status);
      const error = await failure(fetchRecipient(address, options));
      assert.equal(error.code, "network.refused");
      assert.match(error.message, new RegExp(String(status)));
    }
  });
});

describe("an aborted call fails with the reason of its signal", () => {
  test("before it began", async () => {
    const reason = new Error("never mind");
    await assert.rejects(fetchRecipient(address, { ...options, signal: AbortSignal.abort(reason) }), reason);
  });

  test("while it waits, and while it reads", async () => {
    for (const head of [undefined, "-----BEGIN"]) {
      const controller = new AbortController();
      answer = (response) => {
        if (head) response.write(head);
        setImmediate(() => controller.abort());
      };
      const call = fetchRecipient(address, { ...options, signal: controller.signal });
      await assert.rejects(call, { name: "AbortError" });
    }
  });
});

test("addresses and options of other types are refused", async () => {
  answerWith(KUNJI);
  for (const url of ["/v1/certificates/A/B", "", undefined, "http://"]) {
    assert.equal((await failure(fetchRecipient(url, options))).code, "input.type");
  }
  const withPassword = address.replace("//", "//user:secret@");
  const error = await failure(fetchRecipient(withPassword, options));
  assert.equal(error.code, "input.type");
  assert.doesNotMatch(error.message + error.hint + error.cause, /secret/);
  for (const other of [undefined, null]) {
    assert.equal((await failure(fetchRecipient(address, other))).code, "input.type");
  }
  for (const other of [
    { fetch: null },
    { fetch: 5 },
    { signal: 5 },
    { signal: null },
    { signal: { aborted: false } },
  ]) {
    assert.equal((await failure(fetchRecipient(address, { ...options, ...other }))).code, "input.type");
  }
});

test("a fetch that does not answer as the global one does is refused", async () => {
  const texts = new ReadableStream({ start: (controller) => controller.enqueue("text") });
  for (const response of [
    undefined,
    null,
    5,
    {},
    { ok: true, headers: new Headers() },
    { ok: true, headers: new Headers(), body: Readable.from(["x"]) },
    new Response(texts),
  ]) {
    const call = fetchRecipient(address, { ...options, fetch: async () => response });
    assert.equal((await failure(call)).code, "input.type");
  }
  const throwing = () => {
    throw new Error("not now");
  };
  assert.equal((await failure(fetchRecipient(address, { ...options, fetch: throwing }))).code, "network.unreachable");
});

test("options are those of the call", async () => {
  const anchors = [root];
  const instant = new Date(now);
  answerWith(KUNJI);
  const call = fetchRecipient(address, { anchors, now: instant });
  anchors[0] = 5;
  instant.setTime(Number.NaN);
  assert.equal((await call).pem, base);
});
