// The form in its languages, one of which is read from the right.
import assert from "node:assert/strict";
import { test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
import { haveConfirmed, person, photoFile, readFailure } from "./support/steps.mjs";
import { clerk, reviewer } from "./support/surroundings.mjs";

/** Names and terms that are the same everywhere. */
const SAME = /\b(Kunji|JPEG|PNG|WebP|SHA|RSA|OAEP|AES|GCM|English|Français|decryptor|encryptor|signer)\b/g;

/** The texts on the page with a Latin word that is not the same everywhere. What people and programs have named is not asked. */
async function untranslated(page) {
  const texts = await page.evaluate(() => {
    const found = [
      document.title,
      ...[...document.querySelectorAll("[aria-label]")].map((element) => element.ariaLabel),
    ];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      if (
        !node.parentElement.closest(
          "bdi, code, script, noscript, .packet-id, #happened-chain, #record-name, #signed-in-as",
        )
      )
        found.push(node.nodeValue.trim());
    }
    return found;
  });
  return texts.filter((text) => /[A-Za-z]{3}/.test(text.replaceAll(SAME, "")));
}

/** Fills in and submits the form, whatever its language. */
async function register(page) {
  await page.locator("#name").fill(person.name);
  await page.locator("#birth-day").fill(person.day);
  await page.locator("#birth-month").fill(person.month);
  await page.locator("#birth-year").fill(person.year);
  await page.locator("#photo").setInputFiles(photoFile());
  await page.locator("#photo-preview").waitFor();
  await page.locator("#submit").click();
}

test("in Arabic the form is read from the right, and nothing on it is left in English", async () => {
  await withPage("/demo/?lang=ar", async (page) => {
    assert.equal(await page.locator("html").getAttribute("dir"), "rtl");
    assert.deepEqual(await untranslated(page), []);
    await page.locator("#submit").click();
    await page.locator("#fault-summary").waitFor();
    assert.deepEqual(await untranslated(page), []);
    await register(page);
    await page.locator("#result").waitFor();
    await page.locator("#happened summary").click();
    await page.locator("#happened-parts li").first().waitFor();
    assert.deepEqual(await untranslated(page), []);
    await takePicture(page, "form-happened-arabic");
    await page.locator("#another").click();
    await takePicture(page, "form-arabic");
  });
});

test("what went wrong is told in the chosen language, and what waits too", async () => {
  await withPage(
    "/demo/?lang=ar",
    async (page) => {
      await page.route("**/demo/inbox", (route) => route.fulfill({ status: 507, body: '{"code":"inbox.full"}' }));
      await register(page);
      assert.deepEqual(await readFailure(page), { title: "صندوق الوارد ممتلئ", code: "inbox.full" });
      assert.deepEqual(await untranslated(page), []);
      await page.context().setOffline(true);
      await page.locator("#retry").click();
      await page.locator("#outbox").waitFor();
      assert.deepEqual(await untranslated(page), []);
    },
    { failedRequests: true },
  );
});

test("a language that was chosen stays, until another is", async () => {
  await withPage("/demo/", async (page) => {
    await page.getByRole("link", { name: "Français" }).click();
    await page.getByRole("heading", { name: "Enregistrer une personne" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "fr");
    await page.goto(page.url().replace(/\?.*/, ""));
    await page.getByRole("heading", { name: "Enregistrer une personne" }).waitFor();
    assert.equal(await page.locator("a[hreflang][aria-current]").innerText(), "Français");
    await takePicture(page, "form-french");
    await page.locator('nav a[href="./review.html"]').click();
    await page.getByRole("heading", { name: "Examiner les enregistrements" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "fr");
    await takePicture(page, "review-french");
    await page.goBack();
    await page.getByRole("link", { name: "English" }).click();
    await page.getByRole("heading", { name: "Register a person" }).waitFor();
  });
});

/** Signs in on the reviewer's page, whatever its language. */
async function signInAs(page, { id, secret }) {
  await page.locator("#client-id").fill(id);
  await page.locator("#client-secret").fill(secret);
  await page.locator("#sign-in-button").click();
}

test("in Arabic the reviewer's page is read from the right, and nothing on it is left in English", async () => {
  await withPage(
    "/demo/?lang=ar",
    async (page) => {
      await register(page);
      await page.locator("#result-review").click();
      await page.locator("#sign-in").waitFor();
      assert.equal(await page.locator("html").getAttribute("dir"), "rtl");
      assert.deepEqual(await untranslated(page), []);
      await signInAs(page, clerk);
      assert.equal((await readFailure(page)).title, "لا يحق لهذا العميل قراءة الحزم");
      assert.deepEqual(await untranslated(page), []);
      await signInAs(page, reviewer);
      await page.locator(".packet").first().click();
      await page.locator("#record").waitFor();
      await haveConfirmed(page);
      assert.deepEqual(await untranslated(page), []);
      await takePicture(page, "review-arabic");
      await page.locator("#check-text").fill("x");
      await page.locator("#check-button").click();
      await readFailure(page, "check-failure");
      assert.deepEqual(await untranslated(page), []);
    },
    { failedRequests: true },
  );
});

test("in Arabic the camera is told of too", async () => {
  await withPage(
    "/demo/?lang=ar",
    async (page) => {
      await page.locator("#camera-open").click();
      await page.locator("#camera").waitFor();
      assert.deepEqual(await untranslated(page), []);
      await page.evaluate(() =>
        document.querySelector("video").srcObject.getTracks()[0].dispatchEvent(new Event("ended")),
      );
      await page.locator("#camera-fault", { hasText: /./ }).waitFor();
      assert.deepEqual(await untranslated(page), []);
    },
    { permissions: ["camera"] },
  );
});
