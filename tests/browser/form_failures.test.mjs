// What the form says when something is wrong, and that trying again then works.
import assert from "node:assert/strict";
import { test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
import { issue, makeAuthority } from "./support/certificates.mjs";
import { blankPng } from "./support/portrait.mjs";
import { fillIn, hasFocus, person, photoFile, readFailure, submit } from "./support/steps.mjs";

const SETTINGS = "**/demo/settings.json";
const CERTIFICATE = "**/v1/certificates/**";
const INBOX = "**/demo/inbox";

/** The form trusts `authority`, and the server sends `certificate`, which `issuer` signed. */
async function serve(page, authority, issuer, certificate) {
  await page.route(SETTINGS, async (route) => {
    const settings = await (await route.fetch()).json();
    await route.fulfill({ json: { ...settings, anchors: [authority.certificate] } });
  });
  await page.route(CERTIFICATE, (route) =>
    route.fulfill({
      json: { certificate, chain: [issuer.certificate] },
      headers: { Date: new Date().toUTCString() },
    }),
  );
}

/** Answers packets with this problem. */
async function refuse(page, status, code) {
  await page.route(INBOX, (route) =>
    route.fulfill({ status, contentType: "application/problem+json", body: JSON.stringify({ status, code }) }),
  );
}

/**
 * Fills in and submits a form that `prepare` has spoilt; expects this failure, the focus on it and every entry kept;
 * then mends the form and tries again.
 */
async function expectFailure(expected, prepare, { picture, mend = (page) => page.unrouteAll() } = {}) {
  await withPage(
    "/demo/",
    async (page) => {
      let packets = 0;
      await prepare(page);
      page.on("request", (request) => {
        if (request.method() === "POST") packets += 1;
      });
      await fillIn(page);
      await submit(page);
      assert.deepEqual(await readFailure(page), expected);
      assert.ok(await hasFocus(page, "failure"));
      assert.equal(await page.locator('[data-state="failed"]').count(), 1);
      assert.equal(await page.getByLabel("Full name").inputValue(), person.name);
      assert.equal(await page.getByLabel("Photo (optional)").evaluate(({ files }) => files.length), 1);
      if (!expected.code.match(/^(inbox|request|network|service|receipt)/))
        assert.equal(packets, 0, "nothing was sent");
      if (picture) await takePicture(page, picture);
      await mend(page);
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("heading", { name: "Registration received" }).waitFor();
    },
    { failedRequests: true },
  );
}

test("a certificate that has expired", async () => {
  const authority = makeAuthority("Root");
  const certificate = issue(authority, "Registration", -400, -3);
  await expectFailure(
    { title: "The office’s certificate has expired", code: "recipient.expired" },
    (page) => serve(page, authority, authority, certificate),
    { picture: "form-expired" },
  );
});

test("a certificate that is not valid yet", async () => {
  const authority = makeAuthority("Root");
  const certificate = issue(authority, "Registration", 3, 400);
  await expectFailure({ title: "The office’s certificate is not valid yet", code: "recipient.not_yet_valid" }, (page) =>
    serve(page, authority, authority, certificate),
  );
});

test("a certificate of an authority that the form does not trust", async () => {
  const [trusted, other] = [makeAuthority("Root"), makeAuthority("Another root")];
  const certificate = issue(other, "Registration", -3, 400);
  await expectFailure(
    { title: "The office could not be recognised", code: "recipient.untrusted" },
    (page) => serve(page, trusted, other, certificate),
    { picture: "form-untrusted" },
  );
});

test("a certificate of an authority that only has the name of the trusted one", async () => {
  const [trusted, impostor] = [makeAuthority("Root"), makeAuthority("Root")];
  const certificate = issue(impostor, "Registration", -3, 400);
  await expectFailure({ title: "The office could not be recognised", code: "recipient.signature" }, (page) =>
    serve(page, trusted, impostor, certificate),
  );
});

test("a clock that is years behind", async () => {
  await expectFailure(
    { title: "The date or time of this device is wrong", code: "recipient.clock" },
    (page) => page.clock.setFixedTime(new Date("2001-05-04T10:00:00Z")),
    { picture: "form-clock", mend: (page) => page.clock.setFixedTime(new Date()) },
  );
});

for (const [what, address] of [
  ["settings", SETTINGS],
  ["certificate", CERTIFICATE],
  ["receipt", INBOX],
]) {
  test(`a server that goes away before it gives the ${what}`, async () => {
    await expectFailure(
      { title: "The server cannot be reached", code: "network.unreachable" },
      (page) => page.route(address, (route) => route.abort("connectionreset")),
      { picture: address === SETTINGS ? "form-away" : undefined },
    );
  });
}

test("a certificate that the server does not give out", async () => {
  await expectFailure({ title: "The office’s certificate is not available", code: "network.refused" }, (page) =>
    page.route(CERTIFICATE, (route) => route.fulfill({ status: 404, body: "" })),
  );
});

for (const [status, code, title] of [
  [507, "inbox.full", "The inbox is full"],
  [413, "request.too_large", "The packet is too large"],
  [429, "request.rate_exceeded", "Too many attempts"],
  [404, "request.not_found", "The office is not taking packets now"],
  [503, "service.unavailable", "The server has a problem"],
]) {
  test(`an inbox that answers ${status}`, async () => {
    const picture = status === 507 ? "form-inbox-full" : undefined;
    await expectFailure({ title, code }, (page) => refuse(page, status, code), { picture });
  });
}

const id = "0b9f8a52-5b1e-4c67-9d3a-2f6f0f6b7a11";
const received = "2026-01-02T03:04:05.678Z";
for (const [what, receipt] of [
  ["a text", () => "<html>"],
  ["an empty text", () => ""],
  ["null", () => "null"],
  ["nothing in it", () => "{}"],
  ["another size", (bytes) => JSON.stringify({ id, received, bytes: bytes - 1 })],
  ["an id that is none", (bytes) => JSON.stringify({ id: "7", received, bytes })],
  ["a time that is none", (bytes) => JSON.stringify({ id, received: "2026-19-39T03:04:05Z", bytes })],
]) {
  test(`a receipt with ${what}`, async () => {
    const picture = what === "a text" ? "form-receipt" : undefined;
    await expectFailure(
      { title: "The server’s receipt makes no sense", code: "receipt.invalid" },
      (page) =>
        page.route(INBOX, (route) => {
          const body = receipt(Number(route.request().headers()["content-length"]));
          return route.fulfill({ status: 201, contentType: "application/json", body });
        }),
      { picture },
    );
  });
}

test("names that nobody could read are refused", async () => {
  const unseen = "The name holds characters that cannot be seen. Delete it and type it again.";
  await withPage("/demo/", async (page) => {
    for (const [name, message] of [
      ["\u200b \u200d", "Enter the full name."],
      ["\u202eivsA", unseen],
      ["Asha\u2067Devi", unseen],
      ["Asha\u0007", unseen],
      ["A".repeat(201), "The name can have 200 characters at most."],
    ]) {
      await page.getByLabel("Full name").fill(name);
      await submit(page);
      assert.equal(await page.locator("#name-fault").innerText(), message);
    }
    // Joiners and direction marks belong to names of many scripts.
    await page.getByLabel("Full name").fill("\u200fنیک\u200cآیین क्\u200dष");
    assert.equal(await page.locator("#name-fault").innerText(), "");
  });
});

test("entries that are missing are listed, and each is told next to its field", async () => {
  await withPage("/demo/", async (page) => {
    await submit(page);
    assert.ok(await hasFocus(page, "fault-summary"));
    assert.deepEqual(await page.locator("#fault-list li").allInnerTexts(), [
      "Enter the full name",
      "Enter the date of birth",
    ]);
    assert.equal(await page.locator("#name-fault").innerText(), "Enter the full name.");
    await takePicture(page, "form-missing");
    await page.getByRole("link", { name: "Enter the date of birth" }).click();
    assert.ok(await hasFocus(page, "birth-day"));
    // A message goes as soon as it is no longer true.
    await page.getByLabel("Full name").fill("A");
    assert.equal(await page.locator("#name-fault").innerText(), "");
    assert.equal(await page.getByLabel("Full name").getAttribute("aria-invalid"), null);
  });
});

test("dates that cannot be anybody's birthday are refused", async () => {
  const nextYear = String(new Date().getFullYear() + 1);
  await withPage("/demo/", async (page) => {
    for (const [day, month, year, message, control] of [
      ["31", "2", "1990", "This day does not exist in the calendar: check day and month.", "birth-day"],
      ["29", "2", "1900", "This day does not exist in the calendar: check day and month.", "birth-day"],
      ["0", "2", "1990", "This day does not exist in the calendar: check day and month.", "birth-day"],
      ["1", "13", "1990", "The month must be between 1 and 12.", "birth-month"],
      ["1", "1", "90", "Enter the year with four digits, for example 1987.", "birth-year"],
      ["1", "1", nextYear, "The date of birth must be in the past.", "birth-year"],
      ["1", "x", "1990", "The month must be a number.", "birth-month"],
      ["1", "", "", "Enter the date of birth with a month and a year.", "birth-month"],
    ]) {
      for (const [label, value] of [
        ["Day", day],
        ["Month", month],
        ["Year", year],
      ]) {
        await page.getByLabel(label, { exact: true }).fill(value);
      }
      await submit(page);
      assert.equal(await page.locator("#birth-fault").innerText(), message);
      assert.equal(await page.locator(`#${control}`).getAttribute("aria-invalid"), "true");
    }
    await page.getByLabel("Day", { exact: true }).fill("29");
    await page.getByLabel("Month", { exact: true }).fill("2");
    await page.getByLabel("Year", { exact: true }).fill("2000");
    assert.equal(await page.locator("#birth-fault").innerText(), "");
  });
});

/** The beginning of a WebP picture (RFC 9649) whose first chunk is this. */
function webp(type, ...content) {
  const size = Buffer.alloc(4);
  return Buffer.concat([Buffer.from("RIFF"), size, Buffer.from(`WEBP${type}`), size, ...content]);
}

test("a photo of too many pixels is refused before it is decoded", async () => {
  const size = Buffer.from("ff3fff3f", "hex");
  const pictures = {
    png: blankPng(12_000, 12_000),
    // A segment, a byte that belongs to none, then the frame: 8192 rows of 8192.
    jpeg: Buffer.from("ffd8ffe00004000000ffffc2000b0820002000010111", "hex"),
    lossy: webp("VP8 ", Buffer.from("0000009d012a", "hex"), size),
    lossless: webp("VP8L", Buffer.from("2fffffff0f", "hex")),
    extended: webp("VP8X", Buffer.from("00000000ff3f00ff3f00", "hex")),
  };
  await withPage("/demo/", async (page) => {
    await page.evaluate(() => {
      const decode = window.createImageBitmap;
      window.decoded = 0;
      window.createImageBitmap = (...given) => {
        window.decoded += 1;
        return decode(...given);
      };
    });
    for (const [name, buffer] of Object.entries(pictures)) {
      await page.getByLabel("Photo (optional)").setInputFiles({ name, mimeType: "image/png", buffer });
      const fault = page.locator("#photo-fault");
      await fault.filter({ hasText: "This photo has more than 50 megapixels. Choose a smaller one." }).waitFor();
      await page.getByRole("button", { name: "Remove the photo" }).click();
      assert.equal(await fault.innerText(), "");
    }
    assert.equal(await page.evaluate(() => window.decoded), 0);
  });
});

test("photos of each kind are read", async () => {
  await withPage("/demo/", async (page) => {
    for (const type of ["image/jpeg", "image/png", "image/webp"]) {
      const encoded = await page.evaluate((wanted) => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [300, 200];
        canvas.getContext("2d").fillRect(20, 20, 50, 50);
        return canvas.toDataURL(wanted);
      }, type);
      assert.ok(encoded.startsWith(`data:${type};`));
      const buffer = Buffer.from(encoded.split(",")[1], "base64");
      await page.getByLabel("Photo (optional)").setInputFiles({ name: "photo", mimeType: type, buffer });
      await page.locator("#photo-caption").filter({ hasText: "300 × 200 pixels" }).waitFor();
      await page.getByRole("button", { name: "Remove the photo" }).click();
    }
  });
});

test("files that are no photo, or too large, are refused and not sent", async () => {
  const unreadable = /^This file is not a picture that can be read/;
  const { buffer } = photoFile();
  const damaged = Buffer.concat([buffer.subarray(0, 60), Buffer.alloc(400)]);
  await withPage("/demo/", async (page) => {
    await fillIn(page);
    for (const [file, message] of [
      [{ name: "photo.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no picture at all") }, unreadable],
      [{ name: "photo.png", mimeType: "image/png", buffer: damaged }, unreadable],
      [{ name: "photo.svg", mimeType: "image/svg+xml", buffer: Buffer.from("<svg/>") }, unreadable],
      [
        { name: "photo.png", mimeType: "image/png", buffer: Buffer.alloc(8_000_001) },
        /^This photo is larger than 8 MB/,
      ],
    ]) {
      await page.getByLabel("Photo (optional)").setInputFiles(file);
      await page.locator("#photo-fault").filter({ hasText: message }).waitFor();
      assert.ok(await page.locator("#photo-preview").isHidden());
      await submit(page);
      await page.locator("#fault-summary").waitFor();
      assert.equal(await page.locator("#fault-list li").count(), 1);
    }
    await takePicture(page, "form-photo-refused");
    await page.getByRole("button", { name: "Remove the photo" }).click();
    assert.equal(await page.locator("#photo-fault").innerText(), "");
    await submit(page);
    await page.getByRole("heading", { name: "Registration received" }).waitFor();
  });
});
