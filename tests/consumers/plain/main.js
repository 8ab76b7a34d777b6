import { encryptPacket, encryptRegistrationPacket, fetchRecipient } from "/node_modules/@kunji/client/browser.js";

// The server that these pages come from hands on the certificate, which is from another origin.
async function send() {
  const [anchors, content] = await Promise.all(
    ["/anchors", "/content"].map(async (path) => await (await fetch(path)).blob()),
  );
  const recipient = await fetchRecipient("/certificate", { anchors: [await anchors.text()] });
  const post = async (path, body) => await fetch(path, { method: "POST", body });
  await post("/made.packet", await encryptPacket(content, recipient));
  await post("/made.registration", await encryptRegistrationPacket(content, recipient));
}

send().then(
  () => document.body.setAttribute("data-outcome", "sent"),
  (error) => document.body.setAttribute("data-outcome", `${error.code} ${error.stack}`),
);
