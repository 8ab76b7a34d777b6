// Every layout, made by the package as it is published, and opened by implementations that share no code with it.

import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { encryptPacket, encryptRegistrationPacket, parseRecipient } from "@kunji/client";
import {
  encryptAuthRequest,
  encryptBiometricBlock,
  encryptForMachine,
  encryptRegistrationContainer,
  encryptWithPin,
} from "@kunji/client/layouts";
import { root } from "../scripts/paths.js";
import { runJava } from "./support/java.js";
import { runPython } from "./support/python.js";
import { recipients } from "./support/vectors.js";

const { subtle } = globalThis.crypto;
const { certificate_pem: pem, private_key_pkcs8_pem: privatePem } = recipients.rsa2048;
const RS256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
const CAPTURE = { timestamp: "2026-01-05T10:11:12.123Z", transactionId: "1234567890" };
const ABOUT = {
  id: "10001100110000120260105101112-10001_10001-20260105101112",
  refId: "10001_10001",
  source: "REGISTRATION_CLIENT",
  process: "NEW",
  schemaVersion: "0.1",
  providerName: "PacketWriterImpl",
  providerVersion: "v1.0",
  creationDate: "2026-01-05T10:11:12.123Z",
};
const content = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 31) % 251);
const base64url = (value) => Buffer.from(value).toString("base64url");

/** Keys, and what was made with them, by name: bytes in base64url, and texts. */
let given;

before(async () => {
  const recipient = await parseRecipient(pem, { anchors: [pem], now: new Date("2027-01-01") });
  const spki = createPublicKey(privatePem).export({ type: "spki", format: "der" });
  const parameters = { ...RS256, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  const machine = await subtle.generateKey(parameters, false, ["sign", "verify"]);
  const sign = async (bytes) => new Uint8Array(await subtle.sign(RS256, machine.privateKey, bytes));
  const subPackets = [
    { name: "id", content },
    { name: "evidence", content: "x" },
  ];
  const [salt, aad] = [content.subarray(0, 16), content.subarray(16, 21)];
  const pin = { pin: "738291", iterations: 1000 };
  const auth = await encryptAuthRequest(content, recipient);
  const biometric = { ...CAPTURE, ...(await encryptBiometricBlock(content, recipient, CAPTURE)) };
  const members = (prefix, object) => Object.entries(object).map(([name, value]) => [`${prefix}.${name}`, value]);
  given = {
    private_key: base64url(createPrivateKey(privatePem).export({ type: "pkcs8", format: "der" })),
    machine_key: base64url(await subtle.exportKey("spki", machine.publicKey)),
    packet: base64url(await encryptPacket(content, recipient)),
    "appended.packet": base64url(await encryptPacket(content, recipient, { aad })),
    "appended.aad": base64url(aad),
    "salted.packet": base64url(await encryptPacket(content, recipient, { salt, aad })),
    "salted.salt": base64url(salt),
    "salted.aad": base64url(aad),
    registration: base64url(await encryptRegistrationPacket(content, recipient)),
    ...Object.fromEntries([...members("auth", auth), ...members("biometric", biometric)]),
    "pin.sealed": base64url(await encryptWithPin(content, pin.pin, pin)),
    "pin.pin": pin.pin,
    "pin.iterations": String(pin.iterations),
    container: base64url(await encryptRegistrationContainer({ ...ABOUT, subPackets }, recipient, { sign })),
  };
  for (const kind of ["local", "android", "tpm"]) {
    given[kind] = base64url(await encryptForMachine(content, spki, { kind }));
  }
});

describe("every layout is opened by", () => {
  const script = (name) => join(root, "test/independent", name);

  test("pyca/cryptography", () => {
    isAllOpened(JSON.parse(runPython(script("open_layouts.py"), JSON.stringify(given))));
  });

  test("a plain Java program", () => {
    isAllOpened(runJava(script("OpenLayouts.java"), given));
  });
});

function isAllOpened(opened) {
  const expected = base64url(content);
  const contents = ["packet", "appended", "salted", "registration", "auth", "biometric", "pin"];
  const [id, evidence] = ["id", "evidence"].map((name) => `REGISTRATION_CLIENT/NEW/${ABOUT.id}_${name}.zip`);
  for (const name of [...contents, "local", "android", "tpm", id]) assert.ok(opened[name] === expected, name);
  assert.equal(opened[evidence], base64url("x"));
  const { signature, encryptedhash, ...about } = JSON.parse(Buffer.from(opened[`${evidence}.about`], "base64url"));
  assert.ok(signature && encryptedhash);
  assert.deepEqual(about, {
    id: ABOUT.id,
    packetname: `${ABOUT.id}_evidence`,
    source: "REGISTRATION_CLIENT",
    process: "NEW",
    refid: "10001_10001",
    schemaversion: "0.1",
    providername: "PacketWriterImpl",
    providerversion: "v1.0",
    creationdate: "2026-01-05T10:11:12.123Z",
  });
  const names = [...contents, "local", "android", "tpm", ...[id, evidence].flatMap((path) => [path, `${path}.about`])];
  assert.deepEqual(Object.keys(opened).sort(), names.sort());
}
