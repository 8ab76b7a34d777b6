import { readFile, writeFile } from "node:fs/promises";
import { encryptPacket, encryptRegistrationPacket, fetchRecipient } from "@kunji/client";

const { CERTIFICATE_URL, ANCHORS, CONTENT, OUT } = process.env;
const content = await readFile(CONTENT);
const recipient = await fetchRecipient(CERTIFICATE_URL, { anchors: [await readFile(ANCHORS, "utf8")] });
await writeFile(`${OUT}.packet`, await encryptPacket(content, recipient));
await writeFile(`${OUT}.registration`, await encryptRegistrationPacket(content, recipient));
