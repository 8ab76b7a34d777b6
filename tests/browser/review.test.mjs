// The reviewer's page: who gets in, what it says of packets that do not open, and that it keeps nothing.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
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
  const contents = ["no JSON", "[]", '{"name":1}', '{"name":"A","dateOfBirth":"1990-99-99","photo":null}'];
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

/** Opens the packet, and returns what lets its content come once the test wants it. */
async function openSlowly(page, id) {
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  const hold = async (route) => {
    await held;
    // Signing out takes the request back.
    await route.continue().catch(() => undefined);
  };
  await page.route("**/v1/packets/decrypt", hold, { times: 1 });
  const asked = page.waitForRequest("**/v1/packets/decrypt");
  await openPacket(page, id);
  await asked;
  return release;
}

test("a packet that arrives after signing out is not shown", async () => {
  await withPage("/demo/review.html", async (page) => {
    await signIn(page);
    const release = await openSlowly(page, packetId);
    await page.getByRole("button", { name: "Sign out" }).click();
    release();
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
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
