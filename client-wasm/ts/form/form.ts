// What stands in a form, as one JSON: every platform reads it, and nothing in it is a path.

import { encryptPacket, encryptRegistrationPacket, KunjiError, type Recipient } from "#client";
import type { FormContent, FormFault, SealFormOptions } from "#form";

const FORMAT = "kunji.form/1";

/** In memory three times over while it is sealed. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

type Bytes = Uint8Array<ArrayBuffer>;

interface StoredFile {
  readonly field: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** Base64, padded. */
  readonly data: string;
}

export async function sealForm(
  form: HTMLFormElement | FormData,
  recipient: Recipient,
  options: SealFormOptions = {},
): Promise<Bytes> {
  if (typeof options !== "object" || options === null) throw wrongType("options", "an object, or nothing");
  const { registration, submitter, signal, onProgress } = options;
  // Before anything is awaited: what was submitted is what stands there now.
  const entries = [...entriesOf(form, submitter)];
  signal?.throwIfAborted();
  const content = await contentOf(entries);
  const encrypt = registration === true ? encryptRegistrationPacket : encryptPacket;
  try {
    return await encrypt(content, recipient, { signal, onProgress });
  } finally {
    content.fill(0);
  }
}

function entriesOf(form: HTMLFormElement | FormData, submitter: HTMLElement | null | undefined): FormData {
  if (isTagged(form, "FormData")) return form as FormData;
  if (!isTagged(form, "HTMLFormElement")) throw wrongType("form", "a form element, or FormData");
  const element = form as HTMLFormElement;
  const faults = element.noValidate ? [] : faultsOf(element);
  if (faults.length > 0) {
    throw new KunjiError(
      "form.invalid",
      `${faults.length} of the form's fields are not valid: ${faults.map(({ name }) => name).join(", ")}`,
      "show beside each field of `cause` what is to be changed, and focus the first",
      { cause: faults },
    );
  }
  const entries = new FormData(element);
  // Its own argument is younger than the browsers that this is for.
  const { name, value } = (submitter ?? {}) as { name?: unknown; value?: unknown };
  if (typeof name === "string" && name !== "") entries.append(name, String(value ?? ""));
  return entries;
}

/** Without the browser's own bubbles. */
function faultsOf(form: HTMLFormElement): FormFault[] {
  const fields = [...form.elements].filter((field): field is HTMLInputElement => {
    const { willValidate, validity } = field as HTMLInputElement;
    return willValidate === true && validity?.valid === false;
  });
  return fields.map((field) => ({ name: field.name, message: field.validationMessage, element: field }));
}

async function contentOf(entries: readonly [string, FormDataEntryValue][]): Promise<Bytes> {
  const fields = new Map<string, string[]>();
  const files: StoredFile[] = [];
  let total = 0;
  for (const [name, value] of entries) {
    if (typeof value === "string") {
      fields.set(name, [...(fields.get(name) ?? []), value]);
      continue;
    }
    // A field without a file.
    if (value.size === 0 && value.name === "") continue;
    total += value.size;
    if (total > MAX_FILE_BYTES) {
      throw new KunjiError(
        "form.too_large",
        `the form's files have more than ${MAX_FILE_BYTES} bytes in all`,
        "have smaller files chosen, or encrypt each by encryptPacketStream",
      );
    }
    files.push({ field: name, name: value.name, type: value.type, size: value.size, data: base64(await read(value)) });
  }
  const content = { format: FORMAT, fields: Object.fromEntries(fields), files };
  return new TextEncoder().encode(JSON.stringify(content));
}

async function read(file: File): Promise<Bytes> {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (cause) {
    const hint = "it may have been changed or moved since it was chosen; have it chosen again";
    throw new KunjiError("input.unreadable", `the file ${file.name} cannot be read`, hint, { cause });
  }
}

export function parseForm(content: Uint8Array): FormContent {
  if (!isTagged(content, "Uint8Array")) throw wrongType("content", "the Uint8Array that was opened");
  let parsed: { format?: unknown; fields?: unknown; files?: unknown } | null = null;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    // Told below.
  }
  const { format, fields, files } = parsed ?? {};
  if (format !== FORMAT || !isFields(fields) || !Array.isArray(files)) throw malformed();
  return { fields: new Map(Object.entries(fields)), files: files.map(fileOf) };
}

function isFields(value: unknown): value is Record<string, string[]> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const isText = (one: unknown) => typeof one === "string";
  return Object.values(value).every((values) => Array.isArray(values) && values.every(isText));
}

function fileOf(value: unknown): FormContent["files"][number] {
  const { field, name, type, size, data } = (value ?? {}) as Record<keyof StoredFile, unknown>;
  const isComplete = [field, name, type, data].every((text) => typeof text === "string");
  const bytes = isComplete ? bytesOf(data as string) : undefined;
  if (!bytes || bytes.length !== size) throw malformed();
  return { field: field as string, file: new File([bytes], name as string, { type: type as string }) };
}

function base64(bytes: Bytes): string {
  let binary = "";
  // As many arguments as every engine takes.
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

function bytesOf(text: string): Bytes | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function isTagged(value: unknown, type: string): boolean {
  return Object.prototype.toString.call(value) === `[object ${type}]`;
}

function wrongType(name: string, accepted: string): KunjiError {
  return new KunjiError("input.type", `${name} has a type that is not accepted`, `pass ${accepted}`);
}

function malformed(): KunjiError {
  return new KunjiError(
    "form.malformed",
    "the content is not that of a form",
    "it was not made by sealForm: anybody can make a packet, so take nothing of it for granted",
  );
}
