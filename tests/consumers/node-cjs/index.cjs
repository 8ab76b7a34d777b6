const { readFile, writeFile } = require("node:fs/promises");
const { encryptPacket, encryptRegistrationPacket, fetchRecipient } = require("@kunji/client");

async function main() {
  const { CERTIFICATE_URL, ANCHORS, CONTENT, OUT } = process.env;
  const content = await readFile(CONTENT);
  const recipient = await fetchRecipient(CERTIFICATE_URL, { anchors: [await readFile(ANCHORS, "utf8")] });
  await writeFile(`${OUT}.packet`, await encryptPacket(content, recipient));
  await writeFile(`${OUT}.registration`, await encryptRegistrationPacket(content, recipient));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
