// Prepares the demo once the server is ready, by its HTTP API, and says where everything is.
//
// Reads what the server says on standard output, which names its address and ends when the server does. Makes, as the
// first administrator, two clients: an encryptor, which reads the recipient's certificate, so that there is one; and a
// reviewer, which may decrypt. Both are kept in .kunji/ and used again. Whatever fails is said; the server goes on.

import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const READY_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 30_000;
const RETRY_MS = 250;
const SLOW_START_MS = 60_000;
const STATE = ".kunji";

const READY = "kunji is ready on ";
const API_PAGE = "  API page: ";

/** What went wrong, in words for whoever started the server. */
class Problem extends Error {}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Where the server can be reached from this machine, from where it listens. */
function reachable(address) {
  const url = new URL(address);
  if (url.hostname === "0.0.0.0") url.hostname = "127.0.0.1";
  if (url.hostname === "[::]") url.hostname = "[::1]";
  return url.origin;
}

/** Answers with status and JSON (null if it is none). A busy server is asked again until the time is over. */
async function call(base, path, options = {}) {
  const until = Date.now() + REQUEST_TIMEOUT_MS;
  for (;;) {
    let response;
    try {
      response = await fetch(base + path, {
        ...options,
        redirect: "error",
        signal: AbortSignal.timeout(Math.max(until - Date.now(), 1)),
      });
    } catch (error) {
      throw new Problem(`${path} did not answer (${error.cause?.code ?? error.name})`);
    }
    const body = await response.json().catch(() => null);
    if (response.status !== 503 || Date.now() + RETRY_MS > until) return { status: response.status, body };
    await pause(RETRY_MS);
  }
}

async function waitUntilReady(base) {
  const until = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    const ready = await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
    if (ready?.status === 200) return;
    if (Date.now() > until) {
      throw new Problem(
        `${base}/readyz did not say "ready" within ${READY_TIMEOUT_MS / 1000} s; it says what is missing`,
      );
    }
    await pause(RETRY_MS);
  }
}

/** An access token; null when the server does not take the secret. */
async function takeToken(base, { clientId, clientSecret }) {
  const body = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret,
  });
  const answer = await call(base, "/oauth2/token", { method: "POST", body });
  if (answer.status === 200) return answer.body.access_token;
  if (answer.status === 401) return null;
  throw new Problem(`no access token was given to ${clientId} (HTTP ${answer.status})`);
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw new Problem(`${file} cannot be read (${error.code})`);
  }
}

async function takeAdministratorToken(base) {
  const clientId = process.env.KUNJI_BOOTSTRAP_CLIENT_ID || "administrator";
  const file =
    process.env.KUNJI_BOOTSTRAP_CLIENT_SECRET_FILE ||
    join(process.env.KUNJI_DATA_DIR || join(STATE, "data"), "administrator-secret");
  const secret = read(file)?.trimEnd();
  if (!secret) {
    throw new Problem(
      `the administrator's secret is not in ${file}; name its file by KUNJI_BOOTSTRAP_CLIENT_SECRET_FILE, ` +
        "and the client by KUNJI_BOOTSTRAP_CLIENT_ID if it is another",
    );
  }
  const token = await takeToken(base, { clientId, clientSecret: secret });
  if (!token) {
    throw new Problem(
      `the server does not take the secret in ${file} for the administrator "${clientId}"; ` +
        "the database may be of another installation than the file",
    );
  }
  return token;
}

function remembered(file) {
  try {
    const { clientId, clientSecret } = JSON.parse(read(file) ?? "{}");
    return clientId && clientSecret ? { clientId, clientSecret } : null;
  } catch (error) {
    if (error instanceof Problem) throw error;
    // Damaged: as good as gone.
    return null;
  }
}

function remember(file, client) {
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, `${JSON.stringify(client, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(unfinished, file);
}

/** The remembered client of this name with a token of its own, or a new one with these roles, under an id that was never used. */
async function client(base, name, roles) {
  const file = join(STATE, `demo-${name}.json`);
  const known = remembered(file);
  const token = known && (await takeToken(base, known));
  if (token) return { ...known, token };

  const clientId = `demo-${name}-${randomBytes(4).toString("hex")}`;
  const answer = await call(base, "/v1/clients", {
    method: "POST",
    headers: {
      authorization: `Bearer ${await takeAdministratorToken(base)}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ clientId, roles }),
  });
  if (answer.status !== 201) throw new Problem(`the client ${clientId} was not made (HTTP ${answer.status})`);
  const made = { clientId, clientSecret: answer.body.clientSecret };
  remember(file, made);
  return { ...made, token: await takeToken(base, made) };
}

/** Has the recipient's key made, or renewed, if need be. */
async function prepareRecipient(base, { application, reference, certificateUrl }) {
  const encryptor = await client(base, "encryptor", ["encryptor"]);
  const query = new URLSearchParams({ applicationId: application, referenceId: reference });
  const made = await call(base, `/v1/keymanager/getCertificate?${query}`, {
    headers: { authorization: `Bearer ${encryptor.token}` },
  });
  const error = made.body?.errors?.[0];
  if (made.status !== 200 || error) {
    throw new Problem(
      `the certificate of ${application}/${reference} cannot be had: ${error?.message ?? `HTTP ${made.status}`}`,
    );
  }
  const open = await call(base, certificateUrl);
  if (open.status === 404) {
    throw new Problem(
      `the certificate of ${application}/${reference} is not public: have KUNJI_PUBLIC_CERTIFICATES name it`,
    );
  }
  return encryptor;
}

async function prepare(base) {
  const problems = [];
  const attempt = async (work) => {
    try {
      return await work();
    } catch (error) {
      problems.push(error instanceof Problem ? error.message : `${error.name}: ${error.message}`);
      return null;
    }
  };
  await attempt(() => waitUntilReady(base));
  if (problems.length > 0) return { problems };

  const page = await call(base, "/demo/").catch(() => null);
  if (page?.status !== 200) problems.push("the demo's pages are not part of this build: run 'make build'");
  const settings = await attempt(async () => {
    const answer = await call(base, "/demo/settings.json");
    if (answer.status !== 200) throw new Problem(`/demo/settings.json answers HTTP ${answer.status}`);
    return answer.body;
  });
  const encryptor = settings ? await attempt(() => prepareRecipient(base, settings)) : null;
  const reviewer = settings?.inbox ? await attempt(() => client(base, "reviewer", ["decryptor", "signer"])) : null;
  return { inbox: settings?.inbox, problems, reviewer, encryptor };
}

function summary(base, { inbox, problems, reviewer, encryptor }) {
  const lines = ["", `  Registration form   ${base}/demo/`];
  if (reviewer) {
    lines.push(
      `  Reviewer's page     ${base}/demo/review.html`,
      `    client id         ${reviewer.clientId}`,
      `    secret            ${reviewer.clientSecret}`,
    );
    if (encryptor) {
      lines.push(
        "    who may not read, and is refused",
        `    client id         ${encryptor.clientId}`,
        `    secret            ${encryptor.clientSecret}`,
      );
    }
  } else if (inbox === false) {
    lines.push("  Reviewer's page     has nothing to show: the inbox is off (KUNJI_DEMO_INBOX)");
  }
  lines.push(`  API page            ${base}/docs`, "");
  for (const problem of problems) lines.push(`  The demo is not ready: ${problem}`, "");
  lines.push("  Stop the server with Ctrl-C.", "");
  return lines.join("\n");
}

const slow = setTimeout(() => {
  console.log("kunji: not ready yet; a slow token takes its time for the first keys (the log says what is done)");
}, SLOW_START_MS);

let preparing = null;
for await (const line of createInterface({ input: process.stdin })) {
  if (!line.startsWith(API_PAGE)) console.log(line);
  if (line.startsWith(READY) && !preparing) {
    clearTimeout(slow);
    const base = reachable(line.slice(READY.length).trim());
    preparing = prepare(base).then((prepared) => console.log(summary(base, prepared)));
  }
}
// The server is gone: whatever is still asked of it has no answer.
process.exit(0);
