import { find, isBusy, setBusy, setShown } from "../shared/dom.ts";
import { type Explanation, FailurePanel } from "../shared/explanation.ts";
import { t } from "../shared/language.ts";
import { decodeRegistration, type Registration } from "../shared/registration.ts";
import { Check } from "./check.ts";
import { encodeConfirmation, type OpenedPacket } from "./confirmation.ts";
import { explainEnd, explainReview, explainSignIn, isSignedOut, rolesIn } from "./explain.ts";
import { explainSigning } from "./explain-confirmation.ts";
import { PacketList } from "./packet-list.ts";
import { drawRecordPhoto, RecordView } from "./record-view.ts";
import { type PacketEntry, Session } from "./session.ts";

const form = find("sign-in", HTMLFormElement);
const signInButton = find("sign-in-button", HTMLButtonElement);
const clientId = find("client-id", HTMLInputElement);
const secret = find("client-secret", HTMLInputElement);
const desk = find("desk", HTMLElement);
const refreshButton = find("refresh", HTMLButtonElement);
const confirmButton = find("confirm", HTMLButtonElement);
const status = find("status", HTMLElement);
const failure = new FailurePanel("failure");
const record = new RecordView();
const list = new PacketList(open);

let session: Session | undefined;
let opened: OpenedPacket | undefined;
const check = new Check(() => opened);
let expiry = 0;
/** Counts the packets that were asked for: one that comes after a later one is not shown. */
let asked = 0;
/** Counts the sign-ins, and their ends: one that comes after the reviewer has left is not begun. */
let signIns = 0;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isBusy(signInButton)) void signIn();
});
find("sign-out", HTMLButtonElement).addEventListener("click", () => {
  signOut();
  status.textContent = t("You have signed out.");
  clientId.focus();
});
refreshButton.addEventListener("click", () => void refresh());
confirmButton.addEventListener("click", () => {
  if (!isBusy(confirmButton)) void confirm();
});
find("record-close", HTMLButtonElement).addEventListener("click", () => {
  const id = find("record-packet", HTMLElement).textContent ?? "";
  closeRecord();
  list.focus(id);
});
// Browsers keep pages that were left, to show them again at once. Nothing decrypted may be on them.
window.addEventListener("pagehide", signOut);

async function signIn(): Promise<void> {
  failure.hide();
  const missing = [clientId, secret].find((input) => input.value.trim() === "");
  if (missing !== undefined) {
    failure.show({ title: "Enter client id and secret", action: "Both are needed.", code: "sign_in.incomplete" });
    return;
  }
  signIns += 1;
  const turn = signIns;
  setBusy(signInButton, true);
  status.textContent = t("Signing in.");
  let started: Session | undefined;
  try {
    started = await Session.signIn(clientId.value.trim(), secret.value.trim());
    const entries = turn === signIns ? await started.listPackets() : [];
    if (turn === signIns) begin(started, entries);
  } catch (error) {
    if (turn !== signIns) return;
    status.textContent = "";
    failure.show(explainSignIn(error, started?.roles ?? []));
  } finally {
    if (session !== started) started?.end();
    if (turn === signIns) setBusy(signInButton, false);
  }
}

function begin(started: Session, entries: readonly PacketEntry[]): void {
  session = started;
  expiry = window.setTimeout(() => endBecause(explainEnd("session.expired")), started.lifetime);
  form.reset();
  find("signed-in-as", HTMLElement).textContent = started.clientId;
  find("signed-in-roles", HTMLElement).textContent = rolesIn(started.roles);
  setShown(false, form);
  setShown(true, desk);
  list.show(entries);
  status.textContent = t("You are signed in.");
  find("packets-title", HTMLElement).focus();
}

async function refresh(): Promise<void> {
  if (isBusy(refreshButton)) return;
  setBusy(refreshButton, true);
  failure.hide();
  await whileSignedIn(async (current) => {
    const entries = await current.listPackets();
    if (current.ended) return;
    list.show(entries);
    list.mark(find("record-packet", HTMLElement).textContent ?? "");
    status.textContent = t("The list is up to date. Packets: {count}.", { count: entries.length });
  });
  setBusy(refreshButton, false);
}

async function open({ id, received, bytes }: PacketEntry): Promise<void> {
  asked += 1;
  const turn = asked;
  failure.hide();
  closeRecord();
  status.textContent = t("The server is decrypting the packet.");
  const isLatest = () => turn === asked;
  await whileSignedIn(async (current) => {
    const { content, sha256 } = await current.openPacket(id);
    const registration = readAndErase(content);
    const photo = await drawRecordPhoto(registration);
    if (current.ended || !isLatest()) return;
    record.show(registration, photo, id);
    opened = { id, sha256, bytes, received };
    list.mark(id);
    status.textContent = "";
  }, isLatest);
}

/** Has the office sign which packet is on the page, and checks what it gave. */
async function confirm(): Promise<void> {
  const packet = opened;
  if (packet === undefined) return;
  failure.hide();
  setBusy(confirmButton, true);
  status.textContent = t("The office is signing.");
  await whileSignedIn(
    async (current) => {
      const confirmation = { packet, reviewer: current.clientId, opened: new Date().toISOString() };
      const jws = await current.sign(encodeConfirmation(confirmation));
      if (!current.ended) await check.show(jws);
    },
    () => opened === packet,
    explainSigning,
  );
  setBusy(confirmButton, false);
}

/** The registration; its bytes are gone, whatever they were. */
function readAndErase(content: Uint8Array): Registration {
  try {
    return decodeRegistration(content);
  } finally {
    content.fill(0);
  }
}

/** Does the work for the session; says what failed, if that is `wanted` and the reviewer has not left meanwhile. */
async function whileSignedIn(
  work: (current: Session) => Promise<void>,
  wanted = () => true,
  explain = explainReview,
): Promise<void> {
  const current = session;
  if (current === undefined) return;
  try {
    await work(current);
  } catch (error) {
    if (current.ended || !wanted()) return;
    status.textContent = "";
    if (isSignedOut(error)) endBecause(explain(error, current.roles));
    else failure.show(explain(error, current.roles));
  }
}

function endBecause(explanation: Explanation): void {
  signOut();
  failure.show(explanation);
}

function closeRecord(): void {
  opened = undefined;
  record.clear();
  list.mark();
}

function signOut(): void {
  asked += 1;
  signIns += 1;
  window.clearTimeout(expiry);
  session?.end();
  session = undefined;
  closeRecord();
  list.clear();
  check.clear();
  failure.hide();
  form.reset();
  setBusy(signInButton, false);
  status.textContent = "";
  setShown(false, desk);
  setShown(true, form);
}
