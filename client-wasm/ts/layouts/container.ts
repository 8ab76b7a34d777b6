// Registration containers: sub-packets, each encrypted and described, in an archive that is encrypted again.

import type { BinaryInput } from "#api";
import type {
  ContainerOptions,
  OpenContainerOptions,
  OpenedSubPacket,
  RegistrationContainer,
  SubPacketDescription,
} from "#layouts";
import { open } from "../decrypt.ts";
import { seal } from "../encrypt.ts";
import { type Environment, hostEnvironment, REGISTRATION } from "../environment.ts";
import { KunjiError } from "../errors.ts";
import type { StoredEntry } from "../host.ts";
import { bytesOf, isUint8Array, WHOLE, wrongType } from "../input.ts";
import type { Bytes } from "../pieces/reader.ts";
import { certificateOf, type Recipient } from "../recipient.ts";
import { withBindings } from "../wasm.ts";
import { base64Url, bytesOfBase64, optionsOf, textOf } from "./text.ts";

/** Names of a description's members in its JSON. */
const MEMBERS = [
  ["id", "id"],
  ["packetName", "packetname"],
  ["source", "source"],
  ["process", "process"],
  ["refId", "refid"],
  ["schemaVersion", "schemaversion"],
  ["signature", "signature"],
  ["encryptedHash", "encryptedhash"],
  ["providerName", "providername"],
  ["providerVersion", "providerversion"],
  ["creationDate", "creationdate"],
] as const;

/** More than a registration has. What is inflated is bounded by it. */
const MAX_INFLATED_BYTES = 1024 * 1024 * 1024;

export async function encryptRegistrationContainer(
  container: RegistrationContainer,
  recipient: Recipient,
  options: ContainerOptions,
): Promise<Bytes> {
  return await sealContainer(container, recipient, options, hostEnvironment());
}

export async function sealContainer(
  container: RegistrationContainer,
  recipient: Recipient,
  options: ContainerOptions,
  environment: Environment,
): Promise<Bytes> {
  certificateOf(recipient);
  const { sign } = optionsOf(options);
  if (typeof sign !== "function") throw wrongType("options.sign", "a function that signs bytes");
  const { subPackets, ...about } = optionsOf(container);
  if (!Array.isArray(subPackets) || subPackets.length === 0) throw wrongType("subPackets", "an array of sub-packets");
  const entries: [name: string, bytes: Bytes][] = [];
  for (const { name, content } of subPackets) {
    const packetName = `${textOf("id", about.id)}_${textOf("the name of a sub-packet", name)}`;
    // Signed and encrypted are the same bytes, whatever the signer does to its own.
    const clear = new Uint8Array(await bytesOf(content, WHOLE));
    const signature = await sign(clear.slice());
    if (!isUint8Array(signature)) throw wrongType("the result of options.sign", "the signature as Uint8Array");
    const sealed = await seal(clear, recipient, REGISTRATION, environment);
    const encryptedHash = await withBindings((bindings) => bindings.encryptedHash(sealed));
    const description = { ...about, packetName, signature: base64Url(signature), encryptedHash };
    const path = [about.source, about.process, packetName].filter(Boolean).join("/");
    entries.push([`${path}.zip`, sealed], [`${path}.json`, new TextEncoder().encode(jsonOf(description))]);
  }
  return await seal(await archiveOf(entries), recipient, REGISTRATION, environment);
}

async function archiveOf(entries: readonly [name: string, bytes: Bytes][]): Promise<Bytes> {
  const all = new Uint8Array(await new Blob(entries.map(([, bytes]) => bytes)).arrayBuffer());
  const lengths = Uint32Array.from(entries, ([, bytes]) => bytes.length);
  const names = entries.map(([name]) => name);
  return await withBindings((bindings) => bindings.writeContainer(names, lengths, all));
}

function jsonOf(description: SubPacketDescription): string {
  const members = MEMBERS.map(([name, member]) => {
    const value = description[name];
    return [member, value === undefined ? undefined : textOf(name, value)];
  });
  return JSON.stringify(Object.fromEntries(members));
}

export async function decryptRegistrationContainer(
  packet: BinaryInput,
  privateKey: CryptoKey,
  options: OpenContainerOptions,
): Promise<OpenedSubPacket[]> {
  return await openContainer(packet, privateKey, options, hostEnvironment());
}

export async function openContainer(
  packet: BinaryInput,
  privateKey: CryptoKey,
  options: OpenContainerOptions,
  environment: Environment,
): Promise<OpenedSubPacket[]> {
  const { verify } = optionsOf(options);
  if (typeof verify !== "function") throw wrongType("options.verify", "a function that verifies signatures");
  const archive = await open(packet, privateKey, REGISTRATION, environment);
  const entries = new Map<string, StoredEntry>();
  for (const entry of await withBindings((bindings) => bindings.readContainer(archive))) entries.set(entry.name, entry);
  const opened: OpenedSubPacket[] = [];
  for (const [name, entry] of entries) {
    if (!name.endsWith(".zip")) continue;
    const sealed = await contentOf(entry);
    const about = entries.get(name.replace(/\.zip$/, ".json"));
    if (!about) throw failure("container.malformed", `${name} has no description beside it`);
    const description = descriptionOf(await contentOf(about), name);
    if (description.encryptedHash !== (await withBindings((bindings) => bindings.encryptedHash(sealed)))) {
      throw failure("container.hash", `${name} is not what its description has the hash of`);
    }
    const content = await open(sealed, privateKey, REGISTRATION, environment);
    const signature = bytesOfBase64("the signature of a sub-packet", description.signature);
    if ((await verify(content.slice(), signature, description)) !== true) {
      throw failure("container.signature", `the signature of ${name} is not good`);
    }
    opened.push({ path: name, description, content });
  }
  if (opened.length === 0) throw failure("container.malformed", "the container has no sub-packet");
  return opened;
}

function descriptionOf(json: Bytes, name: string): SubPacketDescription {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch {
    // Told below.
  }
  if (typeof parsed !== "object" || parsed === null) {
    throw failure("container.malformed", `the description of ${name} is no JSON object`);
  }
  const found = parsed as Record<string, unknown>;
  const members = MEMBERS.flatMap(([to, member]) => {
    const value = Object.hasOwn(found, member) ? found[member] : undefined;
    return typeof value === "string" ? [[to, value]] : [];
  });
  const description = { id: "", packetName: "", signature: "", encryptedHash: "", ...Object.fromEntries(members) };
  // A hash may be padded.
  return { ...description, encryptedHash: description.encryptedHash.replace(/=+$/, "") };
}

/** An entry's bytes, if they are what the archive says of them. */
async function contentOf({ name, stored, isDeflated, length, crc32 }: StoredEntry): Promise<Bytes> {
  const content = isDeflated ? await inflated(stored, length) : stored;
  if (content?.length !== length || (await withBindings((bindings) => bindings.crc32(content))) !== crc32) {
    throw failure("container.malformed", `${name} is damaged`);
  }
  return content;
}

/** Not one byte more than was said. */
async function inflated(stored: Bytes, length: number): Promise<Bytes | undefined> {
  if (length > MAX_INFLATED_BYTES) return undefined;
  const content = new Uint8Array(length);
  let filled = 0;
  try {
    const reader = new Blob([stored]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (filled + chunk.value.length > length) {
        reader.cancel().catch(() => {});
        return undefined;
      }
      content.set(chunk.value, filled);
      filled += chunk.value.length;
    }
  } catch {
    return undefined;
  }
  return filled === length ? content : undefined;
}

function failure(code: "container.malformed" | "container.hash" | "container.signature", message: string): KunjiError {
  return new KunjiError(code, message, "do not use any of it; have the registration client send it again");
}
