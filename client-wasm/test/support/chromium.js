// The system's Chromium, with a profile that is thrown away.

import { chromium } from "playwright-core";

const EXECUTABLE = process.env.KUNJI_TEST_CHROMIUM ?? "/usr/bin/chromium";

/** A name that leads to this machine, but is no trustworthy origin: pages there have no WebCrypto. */
export const UNTRUSTWORTHY_HOST = "plain.test";

export function launch() {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=MAP ${UNTRUSTWORTHY_HOST} 127.0.0.1`,
    ],
  });
}

/**
 * Opens `url` in a page of its own, where `init` runs first; `faults` collects what the page complains of, policy
 * violations included.
 */
export async function openPage(browser, url, init = () => {}) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  await page.addInitScript(init);
  await page.goto(url);
  return { page, faults, close: () => context.close() };
}
