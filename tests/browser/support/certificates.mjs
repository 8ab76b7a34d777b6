// Certificates (RFC 5280) as a server could send them, good and bad.
import { generateKeyPairSync, sign } from "node:crypto";

const SHA256_WITH_RSA = sequence(tlv(0x06, hex("2a864886f70d01010b")), tlv(0x05));
const BASIC_CONSTRAINTS = "551d13";
const KEY_USAGE = "551d0f";
const DAY = 86_400_000;

/** A moment so many days from now. */
export function inDays(days) {
  return new Date(Date.now() + days * DAY);
}

/** An authority that signs itself. */
export function makeAuthority(name) {
  const keys = makeKeys();
  const extensions = [
    extension(BASIC_CONSTRAINTS, sequence(tlv(0x01, Buffer.of(0xff)))),
    extension(KEY_USAGE, tlv(0x03, hex("0204"))),
  ];
  const certificate = certify({ name, keys, issuer: name, issuerKeys: keys, extensions, from: -3650, to: 3650 });
  return { name, keys, certificate };
}

/** A certificate to encrypt for, valid from so many to so many days from now. */
export function issue(authority, name, from, to) {
  const extensions = [extension(KEY_USAGE, tlv(0x03, hex("0520")))];
  const { name: issuer, keys: issuerKeys } = authority;
  return certify({ name, keys: makeKeys(), issuer, issuerKeys, extensions, from, to });
}

function makeKeys() {
  return generateKeyPairSync("rsa", { modulusLength: 2048 });
}

function certify({ name, keys, issuer, issuerKeys, extensions, from, to }) {
  const signed = sequence(
    tlv(0xa0, tlv(0x02, Buffer.of(2))),
    tlv(0x02, Buffer.of(1)),
    SHA256_WITH_RSA,
    distinguishedName(issuer),
    sequence(utcTime(inDays(from)), utcTime(inDays(to))),
    distinguishedName(name),
    keys.publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", signed, issuerKeys.privateKey);
  const der = sequence(signed, SHA256_WITH_RSA, tlv(0x03, Buffer.of(0), signature));
  const lines = der.toString("base64").match(/.{1,64}/g);
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function distinguishedName(commonName) {
  return sequence(tlv(0x31, sequence(tlv(0x06, hex("550403")), tlv(0x0c, Buffer.from(commonName)))));
}

/** Every extension here is critical. */
function extension(identifier, value) {
  return sequence(tlv(0x06, hex(identifier)), tlv(0x01, Buffer.of(0xff)), tlv(0x04, value));
}

function utcTime(date) {
  return tlv(0x17, Buffer.from(`${date.toISOString().replace(/\D/g, "").slice(2, 14)}Z`));
}

function sequence(...parts) {
  return tlv(0x30, ...parts);
}

function tlv(tag, ...parts) {
  const value = Buffer.concat(parts);
  const { length } = value;
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...octets), value]);
}

function hex(text) {
  return Buffer.from(text, "hex");
}
