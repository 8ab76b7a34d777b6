// The photo from the camera: Chromium's own test picture, which moves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
import { fillIn, hasFocus, openPacket, person, readPixels, signIn, submit } from "./support/steps.mjs";
import { serverUrl } from "./support/surroundings.mjs";

const allowed = { permissions: ["camera"] };

async function openCamera(page) {
  await page.getByRole("button", { name: "Use the camera" }).click();
  await page.locator("#camera").waitFor();
}

/** Has the page remember every track that it got from a camera. */
async function watchTracks(page) {
  await page.evaluate(() => {
    globalThis.tracks = [];
    const get = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = async function (wanted) {
      const stream = await get.call(this, wanted);
      globalThis.tracks.push(...stream.getTracks());
      return stream;
    };
  });
}

/** The states of those tracks: `live` is on, `ended` is off. */
function trackStates(page) {
  return page.evaluate(() => globalThis.tracks.map(({ readyState }) => readyState));
}

/** Has the browser answer that the camera fails in this way. */
async function failWith(page, name) {
  await page.evaluate((failure) => {
    MediaDevices.prototype.getUserMedia = async () => {
      throw new DOMException("", failure);
    };
  }, name);
}

test("a photo from the camera is what the reviewer sees, and the camera is off once it was taken", async () => {
  await withPage(
    "/demo/",
    async (page) => {
      await watchTracks(page);
      await page.getByLabel("Full name", { exact: true }).fill(person.name);
      await page.getByLabel("Day", { exact: true }).fill(person.day);
      await page.getByLabel("Month", { exact: true }).fill(person.month);
      await page.getByLabel("Year", { exact: true }).fill(person.year);
      await openCamera(page);
      assert.ok(await hasFocus(page, "camera-take"));
      assert.match(await page.locator("#camera-said").innerText(), /^The camera is on\./);
      assert.deepEqual(await trackStates(page), ["live"]);
      await takePicture(page, "form-camera");
      await page.getByRole("button", { name: "Take the photo" }).click();
      await page.getByRole("img", { name: "The chosen photo" }).waitFor();
      assert.ok(await page.locator("#camera").isHidden());
      assert.ok(await hasFocus(page, "camera-open"));
      assert.deepEqual(await trackStates(page), ["ended"]);
      const seen = await readPixels(page.locator("#photo-canvas"));
      assert.ok(new Set(seen).size > 8, "the picture has colours");
      await submit(page);
      await page.getByRole("heading", { name: "Registration received" }).waitFor();
      const id = await page.locator("#result-id").innerText();
      await page.goto(`${serverUrl}/demo/review.html`);
      await signIn(page);
      await openPacket(page, id);
      const canvas = page.getByRole("img", { name: "Photo of the person" });
      await canvas.waitFor();
      assert.ok((await readPixels(canvas)).equals(seen));
    },
    allowed,
  );
});

test("a camera that may not be used is told, and a file can be chosen all the same", async () => {
  await withPage("/demo/", async (page) => {
    await page.getByRole("button", { name: "Use the camera" }).click();
    const fault = page.locator("#camera-fault", { hasText: /./ });
    assert.match(await fault.innerText(), /^The camera may not be used\. Allow it .* or choose a file\.$/);
    assert.ok(await page.locator("#camera").isHidden());
    await takePicture(page, "form-camera-refused");
    await fillIn(page);
    await submit(page);
    await page.getByRole("heading", { name: "Registration received" }).waitFor();
  });
});

test("each way in which a camera fails is told in words of its own", async () => {
  await withPage("/demo/", async (page) => {
    const fault = page.locator("#camera-fault");
    for (const [name, expected] of [
      ["NotAllowedError", /^The camera may not be used\./],
      ["NotFoundError", /^This device has no camera/],
      ["OverconstrainedError", /^This device has no camera/],
      ["NotReadableError", /^The camera is used by another program/],
      ["AbortError", /^The camera is used by another program/],
    ]) {
      await failWith(page, name);
      await page.getByRole("button", { name: "Use the camera" }).click();
      await page.waitForFunction(
        (source) => new RegExp(source).test(document.getElementById("camera-fault").textContent),
        expected.source,
      );
      assert.match(await fault.innerText(), expected);
    }
  });
});

test("the camera goes off when it is closed, when the form is sent, and when the page is left", async () => {
  await withPage(
    "/demo/",
    async (page) => {
      await watchTracks(page);
      await openCamera(page);
      await page.getByRole("button", { name: "Close the camera" }).click();
      assert.ok(await page.locator("#camera").isHidden());
      assert.ok(await hasFocus(page, "camera-open"));
      await openCamera(page);
      await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
      assert.ok(await page.locator("#camera").isHidden());
      await fillIn(page);
      await openCamera(page);
      await submit(page);
      await page.getByRole("heading", { name: "Registration received" }).waitFor();
      assert.deepEqual(await trackStates(page), ["ended", "ended", "ended"]);
    },
    allowed,
  );
});

test("a camera that comes after it was no longer wanted is switched off again", async () => {
  await withPage(
    "/demo/",
    async (page) => {
      await watchTracks(page);
      await page.evaluate(() => {
        const get = MediaDevices.prototype.getUserMedia;
        MediaDevices.prototype.getUserMedia = async function (wanted) {
          const stream = await get.call(this, wanted);
          await new Promise((resolve) => {
            globalThis.release = resolve;
          });
          return stream;
        };
      });
      await page.getByRole("button", { name: "Use the camera" }).click();
      await page.waitForFunction(() => globalThis.release);
      await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
      await page.evaluate(() => globalThis.release());
      await page.waitForFunction(() => globalThis.tracks[0].readyState === "ended");
      assert.ok(await page.locator("#camera").isHidden());
    },
    allowed,
  );
});

test("a camera that goes away is told", async () => {
  await withPage(
    "/demo/",
    async (page) => {
      await watchTracks(page);
      await openCamera(page);
      // `stop` says nothing to the page; a cable that is pulled does.
      await page.evaluate(() => globalThis.tracks[0].dispatchEvent(new Event("ended")));
      assert.match(await page.locator("#camera-fault").innerText(), /^The camera went away\./);
      assert.ok(await page.locator("#camera").isHidden());
      assert.ok(await hasFocus(page, "camera-open"));
    },
    allowed,
  );
});

test("the pages let nobody but themselves use the camera, and nothing else of the device", async () => {
  const policy = (await fetch(`${serverUrl}/demo/`)).headers.get("permissions-policy");
  const features = Object.fromEntries(policy.split(", ").map((part) => part.split("=")));
  assert.equal(features.camera, "(self)");
  for (const name of ["microphone", "geolocation", "display-capture", "usb"]) assert.equal(features[name], "()", name);
});
