// The pages with a keyboard alone, for assistive technology, on a phone, in the dark.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
import {
  fillIn,
  hasFocus,
  haveConfirmed,
  officeIsKnown,
  openPacket,
  person,
  photoFile,
  readFailure,
  register,
  signIn,
  submit,
} from "./support/steps.mjs";
import { reviewer } from "./support/surroundings.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Each state that the pages can be in: how to get there, and a name. */
const STATES = [
  ["/demo/", "form", async () => {}],
  ["/demo/?lang=ar", "form-arabic", async () => {}],
  ["/demo/", "form-missing", submit],
  ["/demo/", "form-filled", fillIn],
  ["/demo/", "form-received", register],
  [
    "/demo/",
    "form-happened",
    async (page) => {
      await register(page);
      await page.getByText("What just happened").click();
      await page.locator("#happened-parts li").first().waitFor();
    },
  ],
  [
    "/demo/",
    "form-away",
    async (page) => {
      await page.route("**/demo/settings.json", (route) => route.abort("connectionreset"));
      await fillIn(page);
      await submit(page);
      await readFailure(page);
    },
  ],
  [
    "/demo/",
    "form-kept",
    async (page) => {
      await officeIsKnown(page);
      await page.context().setOffline(true);
      await fillIn(page);
      await submit(page);
      await page.locator("#outbox").waitFor();
    },
  ],
  [
    "/demo/",
    "form-sending",
    async (page) => {
      await page.route("**/demo/inbox", () => {});
      await fillIn(page);
      await submit(page);
      await page.locator('#step-encrypt[data-state="done"]').waitFor();
    },
  ],
  [
    "/demo/",
    "form-camera",
    async (page) => {
      await page.getByRole("button", { name: "Use the camera" }).click();
      await page.locator("#camera").waitFor();
    },
  ],
  ["/demo/review.html", "review-sign-in", async () => {}],
  ["/demo/review.html?lang=ar", "review-arabic", async () => {}],
  [
    "/demo/review.html",
    "review-wrong-secret",
    async (page) => {
      await signIn(page, { ...reviewer, secret: "wrong" });
      await readFailure(page);
    },
  ],
  ["/demo/review.html", "review-empty", (page) => signInWith(page, [])],
  [
    "/demo/review.html",
    "review-record",
    async (page) => {
      await page.goto(page.url().replace("review.html", ""));
      const id = await register(page);
      await page.getByRole("link", { name: "Open it as a reviewer" }).click();
      await signIn(page);
      await openPacket(page, id);
      await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
      await haveConfirmed(page);
    },
  ],
  [
    "/demo/review.html",
    "review-bad-confirmation",
    async (page) => {
      await page.getByRole("button", { name: "Check the signature" }).click();
      await readFailure(page, "check-failure");
    },
  ],
];

/** Signs in to an inbox that holds these packets. */
async function signInWith(page, packets) {
  await page.route("**/demo/inbox", (route) => route.fulfill({ json: { packets } }));
  await signIn(page);
  await page.getByRole("heading", { name: "Packets" }).waitFor();
}

/** What axe finds wrong, one line each. */
async function findViolations(page) {
  const violations = await page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const results = await globalThis.axe.run(document, { runOnly: { type: "tag", values: tags } });
    return results.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) }));
  });
  return violations.flatMap(({ id, nodes }) => nodes.map((html) => `${id}: ${html}`));
}

for (const colorScheme of ["light", "dark"]) {
  for (const [path, name, reach] of STATES) {
    test(`axe finds nothing: ${name}, ${colorScheme}`, async () => {
      const options = { colorScheme, failedRequests: true, permissions: ["camera"], reducedMotion: "reduce" };
      await withPage(
        path,
        async (page) => {
          // Before the page's own scripts, and not by its policy's leave: a script of the tests.
          await page.addInitScript(axe);
          await page.reload();
          await reach(page);
          assert.deepEqual(await findViolations(page), []);
          if (colorScheme === "dark") await takePicture(page, `${name}-dark`);
        },
        options,
      );
    });
  }
}

for (const [path, name, reach] of STATES) {
  test(`no scrolling sideways on a phone: ${name}`, async () => {
    const viewport = { width: 360, height: 740 };
    const touch = { isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
    const options = { viewport, ...touch, failedRequests: true, permissions: ["camera"] };
    await withPage(
      path,
      async (page) => {
        await reach(page);
        await takePicture(page, `${name}-phone`);
        for (const width of [360, 320]) {
          await page.setViewportSize({ width, height: 740 });
          const widest = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(widest <= width, `${widest} pixels are needed, ${width} are there`);
        }
      },
      options,
    );
  });
}

/** Goes on with the Tab key until the element with this id has the focus. */
async function tabTo(page, id) {
  for (let presses = 0; presses < 30; presses += 1) {
    if (await hasFocus(page, id)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not lead to #${id}`);
}

test("the whole way with a keyboard alone", async () => {
  await withPage("/demo/", async (page) => {
    // Long before the key that opens it: from when the browser has heard of this, it shows no chooser of its own.
    const chooser = new Promise((resolve) => page.once("filechooser", resolve));
    await page.keyboard.press("Tab");
    const skip = page.getByRole("link", { name: "Skip to the form" });
    assert.ok(await skip.evaluate((link) => link === document.activeElement && link.getBoundingClientRect().top >= 0));
    await page.keyboard.press("Enter");
    for (const [id, text] of [
      ["name", person.name],
      ["birth-day", person.day],
      ["birth-month", person.month],
      ["birth-year", person.year],
    ]) {
      await tabTo(page, id);
      await page.keyboard.type(text);
    }
    await tabTo(page, "photo");
    await page.keyboard.press("Space");
    await (await chooser).setFiles(photoFile());
    await page.getByRole("img", { name: "The chosen photo" }).waitFor();
    await tabTo(page, "submit");
    await page.keyboard.press("Enter");
    const title = page.getByRole("heading", { name: "Registration received" });
    await title.waitFor();
    assert.ok(await hasFocus(page, "result-title"));
    const packetId = await page.locator("#result-id").innerText();
    await tabTo(page, "result-review");
    await page.keyboard.press("Enter");

    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await tabTo(page, "client-id");
    await page.keyboard.type(reviewer.id);
    await tabTo(page, "client-secret");
    await page.keyboard.type(reviewer.secret);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Packets" }).waitFor();
    assert.ok(await hasFocus(page, "packets-title"));
    await tabTo(page, "refresh");
    // The packet sent just now is the newest unless another test has sent one since.
    for (let presses = 0; presses < 100; presses += 1) {
      if (await page.evaluate((id) => document.activeElement.dataset.id === id, packetId)) break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
    assert.ok(await hasFocus(page, "record-title"));
    assert.equal(await page.locator("#record-name").innerText(), person.name);
    await tabTo(page, "record-close");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.dataset.id), packetId);
  });
});

test("controls with the focus are seen to have it", async () => {
  for (const [path, ids] of [
    ["/demo/", ["name", "birth-day", "photo", "submit"]],
    ["/demo/review.html", ["client-id", "client-secret", "sign-in-button"]],
  ]) {
    await withPage(path, async (page) => {
      for (const id of ids) {
        await tabTo(page, id);
        const outline = await page.locator(`#${id}`).evaluate((element) => getComputedStyle(element).outlineWidth);
        assert.equal(outline, "3px", id);
      }
    });
  }
});

test("each step of the sending is said", async () => {
  await withPage("/demo/", async (page) => {
    await page.evaluate(() => {
      const status = document.getElementById("status");
      globalThis.said = [];
      new MutationObserver(() => globalThis.said.push(status.textContent)).observe(status, { childList: true });
    });
    await register(page);
    assert.deepEqual(await page.evaluate(() => globalThis.said), [
      "Checking the certificate.",
      "Certificate checked. Encrypting.",
      "Encrypted. Sending the packet.",
      "Sent. Waiting for the receipt.",
    ]);
  });
});

test("nothing moves while the pages load", async () => {
  for (const path of ["/demo/", "/demo/review.html"]) {
    await withPage(path, async (page) => {
      await page.waitForLoadState("networkidle");
      const moved = await page.evaluate(
        () =>
          new Promise((resolve) => {
            let sum = 0;
            new PerformanceObserver((list) => {
              for (const { value } of list.getEntries()) sum += value;
            }).observe({ type: "layout-shift", buffered: true });
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
          }),
      );
      assert.ok(moved < 0.01, `${path} moved by ${moved}`);
    });
  }
});
