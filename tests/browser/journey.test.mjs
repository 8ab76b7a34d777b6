// A registration's way: filled in, encrypted, sent, opened by a reviewer.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
import { HEIGHT, pixels, png, WIDTH } from "./support/portrait.mjs";
import { recording } from "./support/recorder.mjs";
import { open } from "./support/server.mjs";
import { fillIn, hasFocus, openPacket, person, readPixels, register, signIn, submit } from "./support/steps.mjs";

/** Texts that would give `bytes` away: themselves, and their base64 at each of the three alignments. */
function traces(bytes) {
  const aligned = [0, 1, 2].map((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    return Buffer.from(shifted.slice(offset === 0 ? 0 : 4, -4));
  });
  return [bytes, ...aligned];
}

test("a reviewer sees the record that was filled in, the photo's pixels included", async () => {
  await withPage("/demo/", async (page) => {
    await takePicture(page, "form");
    await fillIn(page);
    await takePicture(page, "form-filled");
    await submit(page);
    await page.getByRole("heading", { name: "Registration received" }).waitFor();
    const id = await page.locator("#result-id").innerText();
    assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.match(await page.locator("#result-thumbprint").innerText(), /^[0-9a-f]{64}$/);
    assert.ok(await hasFocus(page, "result-title"));
    for (const step of ["certificate", "encrypt", "send", "receipt"]) {
      assert.equal(await page.locator(`#step-${step}`).getAttribute("data-state"), "done");
    }
    await takePicture(page, "form-received");

    await page.getByRole("link", { name: "Open it as a reviewer" }).click();
    await takePicture(page, "review-sign-in");
    await signIn(page);
    await page.getByRole("heading", { name: "Packets" }).waitFor();
    await takePicture(page, "review-list");
    await openPacket(page, id);
    await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
    assert.equal(await page.locator("#record-name").innerText(), person.name);
    assert.equal(await page.locator("#record-birth").innerText(), "17 April 1992");
    const canvas = page.getByRole("img", { name: "Photo of the person" });
    assert.deepEqual(await canvas.evaluate(({ width, height }) => [width, height]), [WIDTH, HEIGHT]);
    assert.ok((await readPixels(canvas)).equals(pixels()));
    await takePicture(page, "review-record");
  });
});

test("nothing but ciphertext leaves the browser", async () => {
  const sent = await recording((origin) => withPage("/demo/", (page) => register(page), { origin }));
  assert.ok(sent.includes("POST /demo/inbox"), "the packet was recorded");
  assert.ok(sent.includes("VER_R2"), "the packet was recorded as it is");
  const photo = png();
  const secrets = [person.name, "Ümit", "Devi", person.dateOfBirth, "dateOfBirth", "portrait.png"].map((text) =>
    Buffer.from(text),
  );
  // The photo's compressed pixels, from the middle, where the header of the file is far.
  secrets.push(photo.subarray(200, 232));
  for (const trace of secrets.flatMap(traces).filter(({ length }) => length > 3)) {
    assert.ok(!sent.includes(trace), `${trace.toString("latin1")} has left the browser`);
  }
});

test("the record opens to exactly what was filled in, and without a photo too", async () => {
  await withPage("/demo/", async (page) => {
    await page.route("**/demo/settings.json", async (route) => {
      const settings = await (await route.fetch()).json();
      await route.fulfill({ json: { ...settings, inbox: false } });
    });
    await page.reload();
    await page.getByRole("button", { name: "Encrypt and save" }).waitFor();
    assert.ok(await page.locator("#story-sent").isHidden());
    await fillIn(page, { ...person, name: "  आशा देवी  " });
    await page.getByRole("button", { name: "Remove the photo" }).click();
    assert.ok(await hasFocus(page, "photo"));
    await submit(page);
    await page.getByRole("heading", { name: "Packet ready" }).waitFor();
    await takePicture(page, "form-download");
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save the packet" }).click();
    const packet = await readFile(await (await download).path());
    assert.deepEqual(await open(packet), { name: "आशा देवी", dateOfBirth: person.dateOfBirth, photo: null });
  });
});

test("the next person finds an empty form", async () => {
  await withPage("/demo/", async (page) => {
    await register(page);
    await page.getByRole("button", { name: "Register another person" }).click();
    assert.ok(await hasFocus(page, "name"));
    for (const label of ["Full name", "Day", "Month", "Year", "Photo (optional)"]) {
      assert.equal(await page.getByLabel(label, { exact: true }).inputValue(), "");
    }
    assert.equal(await page.locator("#photo-canvas").evaluate(({ width }) => width), 0);
  });
});

test("pressing the button twice sends one packet", async () => {
  await withPage("/demo/", async (page) => {
    await fillIn(page);
    let begun = 0;
    page.on("request", (request) => {
      if (request.url().endsWith("/settings.json")) begun += 1;
    });
    await page.getByRole("button", { name: "Encrypt and send" }).evaluate((button) => {
      button.click();
      button.click();
    });
    await page.getByRole("heading", { name: "Registration received" }).waitFor();
    assert.equal(begun, 1);
  });
});

test("the form tells who vouched for whom, and what every byte of the packet is", async () => {
  let parts;
  const explain = async (page) => {
    await register(page);
    await page.getByText("What just happened").click();
    parts = await page.locator("#happened-parts li").evaluateAll((items) =>
      items.map((item) => {
        const text = (name) => item.querySelector(`.part-${name}`).textContent;
        return { name: text("name"), place: text("place"), bytes: text("bytes") };
      }),
    );
    const chain = await page.locator("#happened-chain li").allInnerTexts();
    assert.ok(chain.length > 1);
    assert.match(chain.at(-1), /vouches for itself: the form trusts it$/);
    assert.equal(await page.locator("#happened-times dd").count(), 3);
    await takePicture(page, "form-happened");
    await page.getByRole("button", { name: "Register another person" }).click();
    assert.equal(await page.locator("#happened-parts li").count(), 0);
  };
  const sent = await recording((origin) => withPage("/demo/", explain, { origin }));
  const names = ["Header", "Thumbprint", "Wrapped key", "Splitter", "Random block", "Ciphertext", "Tag"];
  assert.deepEqual(
    parts.map(({ name }) => name),
    names,
  );
  const starts = parts.map(({ place }) => Number(/from byte (\d+)$/.exec(place)[1]));
  assert.deepEqual(starts.slice(0, 6), [0, 6, 38, 294, 308, 340]);
  assert.deepEqual([parts[0].bytes, parts[3].bytes], ["VER_R2", "#KEY_SPLITTER#"]);
  const packet = sent.subarray(sent.indexOf("VER_R2"));
  for (const index of [1, 2, 4, 5, 6]) {
    const bytes = packet.subarray(starts[index], starts[index] + 16).toString("hex");
    assert.equal(parts[index].bytes.replaceAll(/[ …]/g, ""), bytes, names[index]);
  }
});
