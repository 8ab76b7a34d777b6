import { find, isBusy, setBusy, setShown } from "../shared/dom.ts";
import { FailurePanel } from "../shared/explanation.ts";
import { t } from "../shared/language.ts";
import { Entries } from "./entries.ts";
import { explain } from "./explain.ts";
import { Office } from "./office.ts";
import { Outbox } from "./outbox.ts";
import { Result } from "./result.ts";
import { Steps } from "./steps.ts";
import { submit } from "./submission.ts";

const form = find("form", HTMLFormElement);
const button = find("submit", HTMLButtonElement);
const entries = new Entries();
const steps = new Steps();
const failure = new FailurePanel("failure");
const result = new Result();
const office = new Office();
const outbox = new Outbox();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isBusy(button)) void run();
});
find("retry", HTMLButtonElement).addEventListener("click", () => {
  // The panel with the pressed button goes away; the focus stays with the work.
  button.focus();
  form.requestSubmit();
});
find("another", HTMLButtonElement).addEventListener("click", startOver);
void describeRecipient();

async function run(): Promise<void> {
  setBusy(button, true);
  failure.hide();
  try {
    const registration = await entries.read();
    if (registration === undefined) {
      steps.hide();
      return;
    }
    entries.setEditable(false);
    const submitted = await submit(registration, steps, office, outbox);
    entries.clear();
    setShown(false, form);
    result.show(submitted);
  } catch (error) {
    steps.fail();
    failure.show(explain(error));
  } finally {
    entries.setEditable(true);
    setBusy(button, false);
  }
}

function startOver(): void {
  result.hide();
  steps.hide();
  setShown(true, form);
  entries.focusFirst();
}

/** Says beforehand for whom packets are encrypted. If the server is away, submitting will say so. */
async function describeRecipient(): Promise<void> {
  try {
    const { application, reference, inbox } = await office.prepare();
    find("recipient", HTMLElement).textContent = `${application} / ${reference}`;
    setShown(inbox, find("story-sent", HTMLElement));
    setShown(!inbox, find("story-saved", HTMLElement));
    if (!inbox) find("submit-label", HTMLElement).textContent = t("Encrypt and save");
  } catch {
    // Not needed to fill in the form.
  }
}
