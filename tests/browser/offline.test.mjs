// The form without a network: what is filled in is encrypted, kept, and sent later.
import assert from "node:assert/strict";
import { test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
import { fillIn, hasFocus, officeIsKnown, openPacket, person, signIn, submit } from "./support/steps.mjs";

const INBOX = "**/demo/inbox";

/** Opens a form that knows its office, and goes offline. */
async function withFormOffline(use) {
  await withPage(
    "/demo/",
    async (page) => {
      await officeIsKnown(page);
      await page.context().setOffline(true);
      await page.locator("#offline").waitFor();
      await use(page);
    },
    { failedRequests: true },
  );
}

/** Fills in the form and has it kept. */
async function keep(page, entries = person) {
  await fillIn(page, entries);
  await submit(page);
  await page.getByRole("heading", { name: "Registration kept" }).waitFor();
  assert.ok(await hasFocus(page, "result-title"));
}

/** How many registrations the page says are waiting. */
async function waiting(page, count) {
  await page.locator("#outbox-text", { hasText: `Encrypted registrations on this device: ${count}.` }).waitFor();
}

test("a registration made offline is kept, and sent when the device is online again", async () => {
  await withFormOffline(async (page) => {
    await keep(page);
    await waiting(page, 1);
    await page.getByText("What just happened").click();
    assert.equal(await page.locator("#happened-parts li").count(), 7);
    await takePicture(page, "form-kept");
    const answer = page.waitForResponse(INBOX);
    await page.context().setOffline(false);
    const { id } = await (await answer).json();
    await page.locator("#outbox").waitFor({ state: "hidden" });
    assert.ok(await page.locator("#offline").isHidden());

    await page.getByRole("link", { name: "Review" }).click();
    await signIn(page);
    await openPacket(page, id);
    await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
    assert.equal(await page.locator("#record-name").innerText(), person.name);
  });
});

test("what cannot be sent waits, in the page and for the next time it is opened", async () => {
  await withFormOffline(async (page) => {
    await keep(page);
    await page.getByRole("button", { name: "Register another person" }).click();
    await keep(page, { ...person, name: "Ravi" });
    await waiting(page, 2);
    await page.route(INBOX, (route) => route.fulfill({ status: 503, body: "" }));
    const refused = page.waitForResponse(INBOX);
    await page.context().setOffline(false);
    await refused;
    await page.reload();
    await waiting(page, 2);
    const button = page.locator('#outbox-send[aria-disabled="false"]');
    await button.waitFor();
    await page.unroute(INBOX);
    await button.click();
    await page.locator("#outbox").waitFor({ state: "hidden" });
    await page.locator("#status", { hasText: "Kept registrations that were sent: 2." }).waitFor({ state: "attached" });
  });
});

test("nothing that can be read is kept on the device", async () => {
  await withFormOffline(async (page) => {
    await keep(page);
    const kept = await page.evaluate(async () => {
      const open = (name) =>
        new Promise((resolve, reject) => {
          const request = indexedDB.open(name);
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await open("kunji-demo");
      const texts = [JSON.stringify({ ...localStorage, ...sessionStorage })];
      for (const store of database.objectStoreNames) {
        const values = await new Promise((resolve) => {
          const request = database.transaction(store).objectStore(store).getAll();
          request.onsuccess = () => resolve(request.result);
        });
        for (const value of values) {
          for (const part of value instanceof Uint8Array ? [value] : Object.values(value ?? {})) {
            texts.push(part instanceof Uint8Array ? String.fromCharCode(...part) : JSON.stringify(part));
          }
        }
      }
      return texts.join("\n");
    });
    assert.ok(kept.includes("VER_R2"), "the packet was found");
    for (const secret of ["Asha", "Devi", "1992", "dateOfBirth"]) assert.ok(!kept.includes(secret), secret);
  });
});

test("a form that never heard of its office says so", async () => {
  await withPage(
    "/demo/",
    async (page) => {
      await page.route("**/demo/settings.json", (route) => route.abort("connectionreset"));
      await page.reload();
      await page.context().setOffline(true);
      await fillIn(page);
      await submit(page);
      await page.getByRole("heading", { name: "The server cannot be reached" }).waitFor();
      assert.equal(await page.getByLabel("Full name").inputValue(), person.name);
    },
    { failedRequests: true },
  );
});
