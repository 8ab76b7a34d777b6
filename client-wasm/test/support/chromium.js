// The system's Chromium, with a profile that is thrown away.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chromium } from "playwright-core";

const EXECUTABLE = process.env.KUNJI_TEST_CHROMIUM ?? "/usr/bin/chromium";

/** A name that leads to this machine, but is no trustworthy origin: pages there have no WebCrypto. */
export const UNTRUSTWORTHY_HOST = "plain.test";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  `--host-resolver-rules=MAP ${UNTRUSTWORTHY_HOST} 127.0.0.1`,
];

export function launch() {
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
}

/** One whose profile stays in `directory`, and that can be killed at once, with all its processes. */
export async function launchToKill(directory) {
  const own = ["--headless", "--remote-debugging-port=0", `--user-data-dir=${directory}`];
  const chrome = spawn(EXECUTABLE, [...ARGUMENTS, ...own], { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const kill = async () => {
    if (chrome.exitCode !== null || chrome.signalCode !== null) return;
    const gone = once(chrome, "exit");
    process.kill(-chrome.pid, "SIGKILL");
    await gone;
  };
  try {
    let said = "";
    for await (const text of chrome.stderr.iterator({ destroyOnReturn: false })) {
      said += text;
      if (/DevTools listening on (\S+)/.test(said)) break;
    }
    // What else it says is of no interest, but must not fill the pipe.
    chrome.stderr.resume();
    const [, address] = /DevTools listening on (\S+)/.exec(said);
    const browser = await chromium.connectOverCDP(address);
    return { page: await browser.contexts()[0].newPage(), kill };
  } catch (error) {
    await kill();
    throw error;
  }
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
