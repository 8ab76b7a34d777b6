// The generated side of the bindings (client-wasm/src), as the rest of the sources sees it.

import type { CheckedCertificate, ContentInputs, Frame, Surroundings } from "./host.ts";

type Bytes = Uint8Array | undefined;

export function checkRecipient(pem: string, anchors: readonly string[], now: bigint): CheckedCertificate;
export function contentInputs(random: Uint8Array, registration: boolean, salt: Bytes, aad: Bytes): ContentInputs;
export function surroundings(
  contentLength: bigint,
  certificate: Uint8Array,
  random: Uint8Array,
  registration: boolean,
  salt: Bytes,
  aad: Bytes,
  splitter: Bytes,
): Surroundings;
export function seal(
  content: Uint8Array,
  certificate: Uint8Array,
  random: Uint8Array,
  registration: boolean,
  salt: Bytes,
  aad: Bytes,
  splitter: Bytes,
): Uint8Array<ArrayBuffer>;
export function headBytes(): number;
export function readFrame(
  head: Uint8Array,
  totalLength: bigint,
  modulusLength: number,
  registration: boolean,
  salt: Bytes,
  aad: Bytes,
  splitter: Bytes,
): Frame;
export function open(
  packet: Uint8Array,
  dataKey: Uint8Array,
  modulusLength: number,
  registration: boolean,
  salt: Bytes,
  aad: Bytes,
  splitter: Bytes,
): Uint8Array<ArrayBuffer>;

export function __wbg_set_wasm(exports: WebAssembly.Exports): void;
