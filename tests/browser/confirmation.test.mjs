// The reviewer has the office confirm a packet, and anyone checks its signature.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, test } from "node:test";
import { takePicture, withPage } from "./support/browser.mjs";
import { makeAuthority } from "./support/certificates.mjs";
import { hasFocus, haveConfirmed, openPacket, person, readFailure, register, signIn } from "./support/steps.mjs";
import { clerk, reader, reviewer } from "./support/surroundings.mjs";

const failing = { failedRequests: true };

let packetId;
let confirmed;
before(() =>
  withPage("/demo/", async (page) => {
    packetId = await register(page);
  }),
);

async function openRecord(page, client = reviewer) {
  await signIn(page, client);
  await openPacket(page, packetId);
  await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
}

async function check(page, text) {
  await page.getByRole("textbox", { name: "Signed confirmation" }).fill(text);
  await page.getByRole("button", { name: "Check the signature" }).click();
}

/** What is said of the confirmation, by the terms. */
function facts(page) {
  return page
    .locator("#check-result dl > div")
    .evaluateAll((rows) =>
      Object.fromEntries(rows.map((row) => [row.querySelector("dt").textContent, row.querySelector("dd").innerText])),
    );
}

test("the office confirms a packet, and the page verifies its signature", async () => {
  await withPage("/demo/review.html", async (page) => {
    let packet;
    page.on("response", async (response) => {
      if (response.url().endsWith(`/inbox/${packetId}`)) packet = await response.body();
    });
    await openRecord(page);
    confirmed = await haveConfirmed(page);
    assert.ok(await hasFocus(page, "check-result-title"));
    const said = await facts(page);
    assert.equal(said["Packet id"], packetId);
    assert.equal(said["SHA-256 of the packet"], createHash("sha256").update(packet).digest("hex"));
    assert.equal(said["Opened by"], reviewer.id);
    assert.match(said["Signed by"], /\(REGISTRATION\)/);
    assert.match(said["Vouched for by"], /\(ROOT\)/);
    assert.match(await page.locator("#check-comparison").innerText(), /byte for byte\.$/);
    const payload = Buffer.from(confirmed.split(".")[1], "base64url").toString();
    for (const secret of [person.name, person.dateOfBirth]) assert.ok(!payload.includes(secret), payload);
    await takePicture(page, "review-confirmed");
  });
});

test("anyone can check it without signing in, also with line breaks in it", async () => {
  await withPage("/demo/review.html", async (page) => {
    const asked = [];
    page.on("request", (request) => {
      if (request.resourceType() === "fetch") asked.push(new URL(request.url()).pathname);
    });
    await check(page, ` ${confirmed.replace(/(.{70})/g, "$1\n")}\n`);
    await page.getByRole("heading", { name: "The signature is good" }).waitFor();
    assert.equal((await facts(page))["Packet id"], packetId);
    assert.equal(await page.locator("#check-comparison").innerText(), "");
    // The authority's certificate, which a page in the field has built in, and the WebAssembly that reads it.
    assert.deepEqual(
      asked.filter((path) => !path.endsWith(".wasm")),
      ["/demo/settings.json"],
    );
    await page.getByRole("textbox", { name: "Signed confirmation" }).fill("another");
    assert.ok(await page.locator("#check-result").isHidden());
  });
});

test("what was changed, cut off or signed by others is refused, each in its own words", async () => {
  const [header, payload, signature] = confirmed.split(".");
  const content = JSON.parse(Buffer.from(payload, "base64url"));
  const forged = Buffer.from(JSON.stringify({ ...content, reviewer: "somebody" })).toString("base64url");
  const changed = Buffer.from(signature, "base64url");
  changed[0] ^= 1;
  await withPage("/demo/review.html", async (page) => {
    for (const [text, title, code] of [
      ["", "There is no signed confirmation here", "jws.malformed"],
      ["no confirmation", "There is no signed confirmation here", "jws.malformed"],
      [`${header}.${payload}`, "There is no signed confirmation here", "jws.malformed"],
      [`${header}.${forged}.${signature}`, "The signature is not good", "jws.signature"],
      [`${header}.${payload}.${changed.toString("base64url")}`, "The signature is not good", "jws.signature"],
    ]) {
      await check(page, text);
      assert.deepEqual(await readFailure(page, "check-failure"), { title, code });
      assert.ok(await page.locator("#check-result").isHidden());
    }
    await takePicture(page, "review-altered-confirmation");
    await page.route("**/demo/settings.json", async (route) => {
      const settings = await (await route.fetch()).json();
      await route.fulfill({ json: { ...settings, anchors: [makeAuthority("another").certificate] } });
    });
    await check(page, confirmed);
    const untrusted = { title: "The signer is not trusted", code: "jws.untrusted" };
    assert.deepEqual(await readFailure(page, "check-failure"), untrusted);
    await page.unrouteAll();
    await page.route("**/demo/settings.json", async (route) => {
      const settings = await (await route.fetch()).json();
      await route.fulfill({ json: { ...settings, application: "IDA" } });
    });
    await check(page, confirmed);
    const other = { title: "Somebody else has signed this", code: "confirmation.other_signer" };
    assert.deepEqual(await readFailure(page, "check-failure"), other);
  });
});

test("what the office has signed about something else is no confirmation", async () => {
  await withPage("/demo/review.html", async (page) => {
    await openRecord(page);
    for (const content of ["text", "[]", "null", "{}", '{"format":"kunji.demo-confirmation/1","packet":{}}']) {
      const dataToSign = Buffer.from(content).toString("base64");
      await page.route(
        "**/v1/keymanager/jwtSign/v2",
        (route) => {
          const { request } = route.request().postDataJSON();
          return route.continue({ postData: JSON.stringify({ request: { ...request, dataToSign } }) });
        },
        { times: 1 },
      );
      await page.getByRole("button", { name: "Have it confirmed" }).click();
      const expected = { title: "This is no confirmation", code: "confirmation.malformed" };
      assert.deepEqual(await readFailure(page, "check-failure"), expected, content);
      await page.getByRole("textbox", { name: "Signed confirmation" }).fill("");
    }
  });
});

test("a confirmation for other bytes, or of another packet, is told from that of the packet that is open", async () => {
  await withPage("/demo/", async (page) => {
    const laterId = await register(page);
    await page.getByRole("link", { name: "Open it as a reviewer" }).click();
    await signIn(page);
    await openPacket(page, laterId);
    await page.getByRole("heading", { name: "Registration", exact: true }).waitFor();
    await check(page, confirmed);
    await page.locator("#check-result").waitFor();
    assert.match(await page.locator("#check-comparison").innerText(), /^It is about another packet/);
    await page.getByRole("textbox", { name: "Signed confirmation" }).fill("");
    await page.route(
      "**/v1/keymanager/jwtSign/v2",
      (route) => {
        const { request } = route.request().postDataJSON();
        const content = JSON.parse(Buffer.from(request.dataToSign, "base64"));
        content.packet.sha256 = "0".repeat(64);
        const dataToSign = Buffer.from(JSON.stringify(content)).toString("base64");
        return route.continue({ postData: JSON.stringify({ request: { ...request, dataToSign } }) });
      },
      { times: 1 },
    );
    await haveConfirmed(page);
    assert.match(await page.locator("#check-comparison").innerText(), /was signed for other bytes\.$/);
  });
});

test("a client that may read and not sign is told so, and the record stays", async () => {
  await withPage(
    "/demo/review.html",
    async (page) => {
      await openRecord(page, reader);
      assert.equal(await page.locator("#signed-in-roles").innerText(), "decryptor");
      await page.getByRole("button", { name: "Have it confirmed" }).click();
      const expected = { title: "This client may not have anything signed", code: "KER-ATH-403" };
      assert.deepEqual(await readFailure(page), expected);
      assert.match(await page.locator("#failure .notice-action").innerText(), /are: decryptor\. Nothing was signed\./);
      assert.equal(await page.locator("#record-name").innerText(), person.name);
      assert.equal(await page.locator("#check-text").inputValue(), "");
    },
    failing,
  );
});

test("a refusal names the roles that the client has, and the one that it needs", async () => {
  await withPage(
    "/demo/review.html",
    async (page) => {
      await signIn(page, clerk);
      assert.equal((await readFailure(page)).title, "This client may not read packets");
      const action = await page.locator("#failure .notice-action").innerText();
      assert.match(action, /the role decryptor, .* are: encryptor\. Nothing was decrypted\./);
      await takePicture(page, "review-refused");
    },
    failing,
  );
});

test("signing out leaves nothing of a confirmation", async () => {
  await withPage("/demo/review.html", async (page) => {
    await openRecord(page);
    await haveConfirmed(page);
    await page.getByRole("button", { name: "Sign out" }).click();
    assert.equal(await page.getByRole("textbox", { name: "Signed confirmation" }).inputValue(), "");
    assert.ok(await page.locator("#check-result").isHidden());
    assert.ok(!(await page.content()).includes(packetId));
  });
});
