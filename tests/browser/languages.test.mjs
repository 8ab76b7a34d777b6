// The form in its languages, one of which is read from the right.
import assert from "node:assert/strict";
import { test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
import { person, photoFile, readFailure } from "./support/steps.mjs";

/** Names and terms that are the same everywhere. */
const SAME = /\b(Kunji|JPEG|PNG|WebP|SHA|RSA|OAEP|AES|GCM|English|Français)\b/g;

/** The texts on the page with a Latin word that is not the same everywhere. What people and programs have named is not asked. */
async function untranslated(page) {
  const texts = await page.evaluate(() => {
    const found = [
      document.title,
      ...[...document.querySelectorAll("[aria-label]")].map((element) => element.ariaLabel),
    ];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      if (!node.parentElement.closest("code, script, noscript, #happened-chain")) found.push(node.nodeValue.trim());
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
    // The reviewer's page is in English only, whatever was chosen.
    await page.locator('nav a[href="./review.html"]').click();
    await page.getByRole("heading", { name: "Review registrations" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "en-GB");
    await page.goBack();
    await page.getByRole("link", { name: "English" }).click();
    await page.getByRole("heading", { name: "Register a person" }).waitFor();
  });
});
