// What people do on the pages.
import { png } from "./portrait.mjs";
import { reviewer } from "./surroundings.mjs";

/** The person who registers. */
export const person = { name: "Asha Ümit Devi", day: "17", month: "4", year: "1992", dateOfBirth: "1992-04-17" };

/** The file that the person chooses. */
export function photoFile() {
  return { name: "portrait.png", mimeType: "image/png", buffer: png() };
}

/** Fills in the form, the photo included. */
export async function fillIn(page, { name, day, month, year } = person) {
  await page.getByLabel("Full name", { exact: true }).fill(name);
  await page.getByLabel("Day", { exact: true }).fill(day);
  await page.getByLabel("Month", { exact: true }).fill(month);
  await page.getByLabel("Year", { exact: true }).fill(year);
  await page.getByLabel("Photo (optional)").setInputFiles(photoFile());
  await page.getByRole("img", { name: "The chosen photo" }).waitFor();
}

/** Waits until the form has its office's certificate, and so can do without the server. */
export async function officeIsKnown(page) {
  await page.waitForFunction(() =>
    performance.getEntriesByType("resource").some(({ name }) => name.includes("/v1/certificates/")),
  );
  // The answer is there; that it was checked, nobody says.
  await page.waitForLoadState("networkidle");
}

/** Submits the form. */
export async function submit(page) {
  await page.getByRole("button", { name: /^Encrypt and/ }).click();
}

/** Fills in the form, sends it, and returns the packet's id. */
export async function register(page, entries = person) {
  await fillIn(page, entries);
  await submit(page);
  await page.getByRole("heading", { name: "Registration received" }).waitFor();
  return page.locator("#result-id").innerText();
}

/** Signs in on the reviewer's page. */
export async function signIn(page, { id, secret } = reviewer) {
  await page.getByLabel("Client id", { exact: true }).fill(id);
  await page.getByLabel("Secret", { exact: true }).fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Has the office confirm the packet that is open, and returns what it has signed once that was checked. */
export async function haveConfirmed(page) {
  await page.locator("#confirm").click();
  await page.locator("#check-result").waitFor();
  return page.locator("#check-text").inputValue();
}

/** Opens the packet from the list. */
export async function openPacket(page, id) {
  await page.getByRole("button", { name: id }).click();
}

/** Waits for the panel that says what failed, and returns its title and code. */
export async function readFailure(page, id = "failure") {
  const panel = page.locator(`#${id}`);
  await panel.waitFor();
  const title = await panel.getByRole("heading").innerText();
  return { title, code: await panel.locator("code").innerText() };
}

/** The canvas's pixels: red, green, blue and opacity, row by row. */
export async function readPixels(canvas) {
  const encoded = await canvas.evaluate((element) => {
    const { data } = element.getContext("2d").getImageData(0, 0, element.width, element.height);
    let text = "";
    for (const byte of data) text += String.fromCharCode(byte);
    return btoa(text);
  });
  return Buffer.from(encoded, "base64");
}

/** Whether the element with this id has the focus. */
export function hasFocus(page, id) {
  return page.evaluate((expected) => document.activeElement?.id === expected, id);
}
