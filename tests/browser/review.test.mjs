// The reviewer's page: who gets in, what it says of packets that do not open, and that it keeps nothing.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
import { blankPng } from "./support/portrait.mjs";
import { hasFocus, openPacket, person, readFailure, register, signIn } from "./support/steps.mjs";
import { clerk, reviewer, serverUrl } from "./support/surroundings.mjs";

let packetId;
before(() =>
  withPage("/demo/", async (page) => {
    packetId = await register(page);
  }),
);

const failing = { failedRequests: true };

/** Whether the person's data are anywhere on the page. */
async function showsRecord(page) {
  const html = await page.content();
  const painted = await page.locator("#record-photo").evaluate(({ width, height }) => width * height);
  return html.includes(person.name) || html.includes("17 April 1992") || painted > 0;
}

async function openRecord(page) {
  await signIn(page);
  await openPacket(page, packetId);
  await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
  assert.ok(await showsRecord(page));
}

test("a wrong secret is explained, and the right one then accepted", async () => {
  await withPage(
    "/demo/review.html",
    async (page) => {
      await signIn(page, { ...reviewer, secret: "wrong" });
      const expected = { title: "Client id or secret is wrong", code: "invalid_client" };
      assert.deepEqual(await readFailure(page), expected);
      assert.ok(await hasFocus(page, "failure"));
      await takePicture(page, "review-wrong-secret");
      await signIn(page);
      await page.getByRole("heading", { name: "Packets" }).waitFor();
      assert.ok(await page.locator("#failure").isHidden());
    },
    failing,
  );
});

test("a client that may not decrypt is told so", async () => {
  await withPage(
    "/demo/review.html",
    async (page) => {
      await signIn(page, clerk);
      assert.equal((await readFailure(page)).title, "This client may not read packets");
      assert.ok(await page.locator("#desk").isHidden());
    },
    failing,
  );
});

test("an empty sign-in asks the server for nothing", async () => {
  await withPage("/demo/review.html", async (page) => {
    const asked = [];
    page.on("request", (request) => {
      if (request.resourceType() === "fetch") asked.push(request.url());
    });
    await page.getByRole("button", { name: "Sign in" }).click();
    assert.equal((await readFailure(page)).title, "Enter client id and secret");
    assert.deepEqual(asked, []);
  });
});

test("a double click signs in once", async () => {
  await withPage("/demo/review.html", async (page) => {
    let requests = 0;
    page.on("request", (request) => {
      if (request.url().endsWith("/oauth2/token")) requests += 1;
    });
    await page.getByLabel("Client id").fill(reviewer.id);
    await page.getByLabel("Secret").fill(reviewer.secret);
    await page.getByRole("button", { name: "Sign in" }).dblclick();
    await page.getByRole("heading", { name: "Packets" }).waitFor();
    assert.equal(requests, 1);
  });
});

test("an altered packet does not open", async () => {
  await withPage(
    "/demo/review.html",
    async (page) => {
      await page.route("**/demo/inbox/*", async (route) => {
        const answer = await route.fetch();
        const body = await answer.body();
        body[body.length - 1] ^= 1;
        await route.fulfill({ response: answer, body });
      });
      await signIn(page);
      await openPacket(page, packetId);
      const expected = { title: "This packet does not open", code: "packet.decryption_failed" };
      assert.deepEqual(await readFailure(page), expected);
      assert.ok(!(await showsRecord(page)));
      await takePicture(page, "review-altered");
      await page.unrouteAll();
      await openPacket(page, packetId);
      await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
      assert.ok(await page.locator("#failure").isHidden());
    },
    failing,
  );
});

test("a packet of another program is not taken for a registration", async () => {
  const contents = ["no JSON", "[]", "null", '{"name":1}', '{"name":"A","dateOfBirth":"1990-01-01"}'];
  contents.push('{"name":"A","dateOfBirth":"1990-01-01","photo":{"type":"image/svg+xml","data":"PHN2Zy8+"}}');
  await withPage("/demo/review.html", async (page) => {
    await signIn(page);
    for (const body of contents) {
      await page.route("**/v1/packets/decrypt", (route) => route.fulfill({ body }), { times: 1 });
      await openPacket(page, packetId);
      const expected = { title: "This packet holds no registration", code: "registration.malformed" };
      assert.deepEqual(await readFailure(page), expected);
    }
  });
});

/** Lets the server's next decryption have this content. */
async function decryptTo(page, content) {
  await page.route("**/v1/packets/decrypt", (route) => route.fulfill({ json: content }), { times: 1 });
}

test("a name or a date that the form could not have sent is not shown", async () => {
  const born = "1990-01-01";
  const dates = ["1990-99-99", "2023-02-29", "2024-02-30", "0000-01-01", "1850-01-01", "9999-12-31", "1990-1-1"];
  const names = ["", " ", " A", "\u200b", "A".repeat(201), "A\u0000", "A\nB", "\u202eivsA", "A\u2066B", "A\ud800"];
  const records = dates.map((dateOfBirth) => ({ name: "A", dateOfBirth, photo: null }));
  records.push(...names.map((name) => ({ name, dateOfBirth: born, photo: null })));
  await withPage("/demo/review.html", async (page) => {
    await signIn(page);
    for (const record of records) {
      await decryptTo(page, record);
      await openPacket(page, packetId);
      assert.equal((await readFailure(page)).code, "registration.malformed", JSON.stringify(record));
      assert.ok(await page.locator("#record").isHidden());
    }
    const name = "नीलम क्\u200dष";
    await decryptTo(page, { name, dateOfBirth: "2024-02-29", photo: null });
    await openPacket(page, packetId);
    await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
    assert.equal(await page.locator("#record-name").textContent(), name);
    assert.equal(await page.locator("#record-birth").innerText(), "29 February 2024");
  });
});

test("a photo of too many pixels is not decoded, and the rest of the record is shown", async () => {
  const photo = { type: "image/png", data: blankPng(12_000, 12_000).toString("base64") };
  await withPage("/demo/review.html", async (page) => {
    await signIn(page);
    await decryptTo(page, { name: "A", dateOfBirth: "1990-01-01", photo });
    await openPacket(page, packetId);
    await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
    assert.equal(await page.locator("#record-photo-text").innerText(), "The photo has too many pixels to be shown.");
    assert.ok(await page.locator("#record-photo").isHidden());
  });
});

test("the decrypted bytes are erased, also those that are no registration", async () => {
  await withPage("/demo/review.html", async (page) => {
    await page.evaluate(() => {
      const read = Response.prototype.arrayBuffer;
      window.contents = [];
      Response.prototype.arrayBuffer = async function () {
        const content = await read.call(this);
        if (this.url.endsWith("/decrypt")) window.contents.push(content);
        return content;
      };
    });
    await signIn(page);
    await decryptTo(page, { secret: person.name });
    await openPacket(page, packetId);
    await readFailure(page);
    await openPacket(page, packetId);
    await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
    const left = await page.evaluate(() =>
      window.contents.map((content) => [content.byteLength > 0, new Uint8Array(content).some((byte) => byte !== 0)]),
    );
    assert.deepEqual(left, [
      [true, false],
      [true, false],
    ]);
  });
});

test("a server that is away is told, and the list stays", async () => {
  await withPage(
    "/demo/review.html",
    async (page) => {
      await signIn(page);
      await page.getByRole("heading", { name: "Packets" }).waitFor();
      await page.context().setOffline(true);
      await openPacket(page, packetId);
      const expected = { title: "The server cannot be reached", code: "network.unreachable" };
      assert.deepEqual(await readFailure(page), expected);
      await page.context().setOffline(false);
      await openPacket(page, packetId);
      await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
    },
    failing,
  );
});

test("signing out leaves nothing on the page", async () => {
  await withPage("/demo/review.html", async (page) => {
    await openRecord(page);
    await page.getByRole("button", { name: "Sign out" }).click();
    assert.ok(!(await showsRecord(page)));
    assert.equal(await page.locator("#packet-list li").count(), 0);
    assert.equal(await page.getByLabel("Secret").inputValue(), "");
    assert.ok(await hasFocus(page, "client-id"));
    assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]), [
      0,
      0,
      "",
    ]);
  });
});

test("leaving the page signs out, and going back finds nothing", async () => {
  await withPage("/demo/review.html", async (page) => {
    await openRecord(page);
    await page.goto(`${serverUrl}/demo/`);
    await page.goBack();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    assert.ok(!(await showsRecord(page)));
  });
});

test("a page that the browser keeps to show it again holds nothing", async () => {
  await withPage("/demo/review.html", async (page) => {
    await openRecord(page);
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
    assert.ok(!(await showsRecord(page)));
    assert.ok(await page.locator("#desk").isHidden());
  });
});

test("closing the record takes it off the page, and the list has the focus again", async () => {
  await withPage("/demo/review.html", async (page) => {
    await openRecord(page);
    await page.getByRole("button", { name: "Close" }).click();
    assert.ok(!(await showsRecord(page)));
    assert.equal(await page.evaluate(() => document.activeElement.dataset.id), packetId);
  });
});

test("a session that the server has ended takes the record with it", async () => {
  await withPage(
    "/demo/review.html",
    async (page) => {
      await openRecord(page);
      await page.route("**/demo/inbox", (route) =>
        route.fulfill({
          status: 401,
          contentType: "application/problem+json",
          body: '{"code":"access.unauthenticated"}',
        }),
      );
      await page.getByRole("button", { name: "Refresh" }).click();
      assert.equal((await readFailure(page)).title, "Your session has ended");
      assert.ok(!(await showsRecord(page)));
      assert.ok(await page.getByRole("button", { name: "Sign in" }).isVisible());
    },
    failing,
  );
});

test("a token that has run out takes the record with it, without a request", async () => {
  await withPage("/demo/review.html", async (page) => {
    await page.clock.install();
    await openRecord(page);
    await page.clock.fastForward("48:00:00");
    assert.deepEqual(await readFailure(page), { title: "Your session has ended", code: "session.expired" });
    assert.ok(!(await showsRecord(page)));
  });
});

/**
 * Does what asks the server for `address`, and returns what lets the answer come once the test wants it: the server's
 * own, or `instead`.
 */
async function hold(page, address, act, instead) {
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  const answer = async (route) => {
    await held;
    // Signing out takes the request back.
    await (instead ? route.fulfill(instead) : route.continue()).catch(() => undefined);
  };
  await page.route(address, answer, { times: 1 });
  const asked = page.waitForRequest(address);
  await act();
  await asked;
  return release;
}

/** Opens the packet, and returns what lets its content come. */
function openSlowly(page, id, instead) {
  return hold(page, "**/v1/packets/decrypt", () => openPacket(page, id), instead);
}

/** Waits until the page has dealt with what has arrived. */
async function settle(page) {
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

test("a packet that arrives after signing out is not shown", async () => {
  await withPage("/demo/review.html", async (page) => {
    await signIn(page);
    const release = await openSlowly(page, packetId);
    await page.getByRole("button", { name: "Sign out" }).click();
    release();
    await settle(page);
    assert.ok(!(await showsRecord(page)));
    assert.ok(await page.locator("#failure").isHidden());
  });
});

test("a packet that arrives after one that was opened later is not shown", async () => {
  await withPage("/demo/", async (page) => {
    const laterId = await register(page);
    await page.goto(`${serverUrl}/demo/review.html`);
    await signIn(page);
    const release = await openSlowly(page, packetId);
    await openPacket(page, laterId);
    await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
    const arrived = page.waitForResponse("**/v1/packets/decrypt");
    release();
    await (await arrived).finished();
    // Its button can be pressed again once the page is done with it.
    await page.locator(`button[data-id="${packetId}"][aria-disabled="false"]`).waitFor();
    assert.equal(await page.locator("#record-packet").innerText(), laterId);
  });
});

test("a packet that fails after one that was opened later says nothing", async () => {
  const refusal = { status: 400, contentType: "application/problem+json", body: '{"code":"packet.malformed"}' };
  await withPage(
    "/demo/",
    async (page) => {
      const laterId = await register(page);
      await page.goto(`${serverUrl}/demo/review.html`);
      await signIn(page);
      for (const instead of [refusal, { body: "no registration" }]) {
        const release = await openSlowly(page, packetId, instead);
        await openPacket(page, laterId);
        await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
        release();
        await page.locator(`button[data-id="${packetId}"][aria-disabled="false"]`).waitFor();
        assert.ok(await page.locator("#failure").isHidden());
        assert.equal(await page.locator("#record-packet").innerText(), laterId);
        assert.ok(await hasFocus(page, "record-title"));
      }
    },
    failing,
  );
});

for (const [what, address, instead] of [
  ["token", "**/oauth2/token"],
  ["list", "**/demo/inbox"],
  ["refusal", "**/oauth2/token", { status: 401, contentType: "application/json", body: '{"error":"invalid_client"}' }],
]) {
  test(`a ${what} that arrives after the reviewer has left begins nothing`, async () => {
    await withPage(
      "/demo/review.html",
      async (page) => {
        const release = await hold(page, address, () => signIn(page), instead);
        await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
        const arrived = page.waitForResponse(address);
        release();
        await (await arrived).finished();
        await settle(page);
        assert.ok(await page.locator("#desk").isHidden());
        assert.ok(await page.locator("#failure").isHidden());
        assert.equal(await page.locator("#packet-list li").count(), 0);
        await signIn(page);
        await page.getByRole("heading", { name: "Packets" }).waitFor();
      },
      failing,
    );
  });
}
