import { decodeBase64, encodeBase64 } from "./base64.ts";
import { findNameFault, isDateOfBirth } from "./person.ts";
import { detectPhotoType, type Photo } from "./photo.ts";

/** What the form collects: the content of a packet. */
export interface Registration {
  readonly name: string;
  /** `YYYY-MM-DD`. */
  readonly dateOfBirth: string;
  readonly photo: Photo | null;
}

/** A packet opened, but its content is no registration of this form. */
export class MalformedRegistration extends Error {}

/** The registration as UTF-8 JSON, the photo in base64. */
export function encodeRegistration({ name, dateOfBirth, photo }: Registration): Uint8Array {
  const encodedPhoto = photo && { type: photo.type, data: encodeBase64(photo.bytes) };
  return new TextEncoder().encode(JSON.stringify({ name, dateOfBirth, photo: encodedPhoto }));
}

/** Undoes {@link encodeRegistration}. Anyone can make a packet, so nothing about its content is taken for granted. */
export function decodeRegistration(bytes: Uint8Array): Registration {
  const value = parseObject(bytes);
  const { name, dateOfBirth, photo } = value;
  if (typeof name !== "string" || name !== name.trim() || findNameFault(name) !== undefined) {
    throw new MalformedRegistration("the name is none");
  }
  if (typeof dateOfBirth !== "string" || !isDateOfBirth(dateOfBirth, new Date())) {
    throw new MalformedRegistration("the date of birth is none");
  }
  return { name, dateOfBirth, photo: photo === null ? null : decodePhoto(photo) };
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MalformedRegistration("the content is no JSON", { cause });
  }
  if (!isObject(value)) throw new MalformedRegistration("the content is no object");
  return value;
}

function decodePhoto(value: unknown): Photo {
  if (!isObject(value) || typeof value.data !== "string") throw new MalformedRegistration("the photo is no object");
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = decodeBase64(value.data);
  } catch (cause) {
    throw new MalformedRegistration("the photo is no base64", { cause });
  }
  const type = detectPhotoType(bytes);
  if (type === undefined || type !== value.type) throw new MalformedRegistration("the photo is no picture");
  return { type, bytes };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
