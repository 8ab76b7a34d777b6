// Debian's Firefox over WebDriver BiDi, with a profile that is thrown away: as it is stock, no tool for others drives it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";

const EXECUTABLE = process.env.KUNJI_TEST_FIREFOX ?? "/usr/bin/firefox-esr";

/** It asks nobody for anything, and starts at once. */
const PREFERENCES = {
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.aboutwelcome.enabled": false,
  "browser.safebrowsing.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.getAddons.cache.enabled": false,
  "extensions.systemAddon.update.enabled": false,
  "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,#remote-settings-dummy/v1",
  "toolkit.telemetry.reportingpolicy.firstRun": false,
};

/** A running Firefox: `open` pages in it, and `close` it. */
export async function launchFirefox() {
  const profile = await mkdtemp(join(tmpdir(), "kunji-firefox-"));
  const lines = Object.entries(PREFERENCES).map((entry) => `user_pref(${entry.map((one) => JSON.stringify(one))});\n`);
  await writeFile(join(profile, "user.js"), lines.join(""));
  const options = ["--headless", "--no-remote", "--remote-debugging-port=0", "--profile", profile, "about:blank"];
  const firefox = spawn(EXECUTABLE, options, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const kill = async () => {
    if (firefox.exitCode === null && firefox.signalCode === null) {
      const gone = once(firefox, "exit");
      process.kill(-firefox.pid, "SIGKILL");
      await gone;
    }
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const connection = await connect(`${await addressOf(firefox)}/session`);
    await connection.send("session.new", { capabilities: {} });
    await connection.send("session.subscribe", { events: ["log.entryAdded"] });
    return { open: (url) => openPage(connection, url), close: kill };
  } catch (error) {
    await kill();
    throw error;
  }
}

async function addressOf(firefox) {
  let said = "";
  firefox.once("error", (error) => firefox.stderr.destroy(error));
  for await (const text of firefox.stderr.iterator({ destroyOnReturn: false })) {
    said += text;
    const [, address] = /WebDriver BiDi listening on (\S+)/.exec(said) ?? [];
    if (!address) continue;
    // What else it says is of no interest, but must not fill the pipe.
    firefox.stderr.resume();
    return address;
  }
  throw new Error(`Firefox did not start: ${said}`);
}

/** Commands and their answers, and the entries of the log by page. */
async function connect(address) {
  const socket = new WebSocket(address);
  const waiting = new Map();
  const log = new Map();
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.type === "event") {
      log.get(message.params.source.context)?.push(message.params);
      return;
    }
    const { resolve, reject } = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.type === "success") resolve(message.result);
    else reject(new Error(`${message.error}: ${message.message}`));
  });
  socket.on("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Firefox is gone"));
  });
  await once(socket, "open");
  let last = 0;
  return {
    log,
    send(method, params) {
      last += 1;
      socket.send(JSON.stringify({ id: last, method, params }));
      return new Promise((resolve, reject) => waiting.set(last, { resolve, reject }));
    },
  };
}

/** A page of its own. `faults` collects what it complains of, policy violations included. */
async function openPage({ send, log }, url) {
  const { context } = await send("browsingContext.create", { type: "tab" });
  const entries = [];
  log.set(context, entries);
  await send("browsingContext.navigate", { context, url, wait: "complete" });
  return {
    /** Runs a function there, on a JSON, and has a JSON of its result. */
    async evaluate(body, given) {
      const { type, result, exceptionDetails } = await send("script.callFunction", {
        functionDeclaration: `async (json) => JSON.stringify(await (${body})(JSON.parse(json))) ?? "null"`,
        arguments: [{ type: "string", value: JSON.stringify(given ?? null) }],
        awaitPromise: true,
        target: { context },
      });
      if (type === "exception") throw new Error(exceptionDetails.text);
      return JSON.parse(result.value);
    },
    faults: () => entries.filter(({ level }) => level === "error").map(({ text }) => text),
    async close() {
      await send("browsingContext.close", { context });
      log.delete(context);
    },
  };
}
