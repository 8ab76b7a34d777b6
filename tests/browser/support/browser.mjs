// A browser for the tests of one file, and pages that report what must not happen on them.
import assert from "node:assert/strict";
import { after } from "node:test";
import { chromium } from "playwright-core";
import { chromiumPath, screenshotPath, serverUrl } from "./surroundings.mjs";

const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A camera that shows a moving test picture. Who may use it is said where a page is opened.
  "--use-fake-device-for-media-stream",
];

let launching;
after(async () => (await launching)?.close());

/** The browser for the tests of one file; it ends with them. */
export function launch() {
  launching ??= chromium.launch({ executablePath: chromiumPath, args: ARGUMENTS });
  return launching;
}

/**
 * Opens `path` on a page of its own, hands it to `use`, and then fails if the page broke its policy, wrote an error
 * to the console, threw, asked another origin for anything, or was served without the policy. What the browser
 * itself writes about a failed request is allowed where `failedRequests` says so.
 */
export async function withPage(path, use, { origin = serverUrl, failedRequests = false, ...options } = {}) {
  const browser = await launch();
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const faults = [];
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`policy violated: ${event.effectiveDirective} ${event.blockedURI}`);
      });
    });
    page.on("pageerror", (error) => faults.push(`thrown: ${error}`));
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      if (failedRequests && message.text().startsWith("Failed to load resource")) return;
      faults.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.origin !== origin && url.protocol !== "blob:") faults.push(`asked elsewhere: ${url}`);
    });
    page.on("response", (response) => {
      const policy = response.headers()["content-security-policy"] ?? "";
      if (response.request().isNavigationRequest() && !policy.startsWith(POLICY)) faults.push(`policy: ${policy}`);
    });
    await page.goto(`${origin}${path}`);
    await use(page);
  } finally {
    await context.close();
  }
  assert.deepEqual(faults, []);
}

/** Takes a picture of the whole page. */
export async function takePicture(page, name) {
  await page.screenshot({ path: screenshotPath(name), fullPage: true, animations: "disabled" });
}
