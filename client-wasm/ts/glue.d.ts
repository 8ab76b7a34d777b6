// The generated side of the bindings (client-wasm/src), as the rest of the sources sees it.

import type { ParsedPacket } from "#layouts";
import type {
  Body,
  CheckedCertificate,
  ContentInputs,
  Frame,
  KeyedBodyPlan,
  StoredEntry,
  Surroundings,
} from "./host.ts";

type Bytes = Uint8Array | undefined;

export interface Bindings {
  checkCertificate(pem: string, anchors: readonly string[], now: bigint, signs: boolean): CheckedCertificate;
  contentInputs(random: Uint8Array, registration: boolean, salt: Bytes, aad: Bytes): ContentInputs;
  surroundings(
    contentLength: bigint,
    certificate: Uint8Array,
    random: Uint8Array,
    registration: boolean,
    salt: Bytes,
    aad: Bytes,
    splitter: Bytes,
  ): Surroundings;
  seal(
    content: Uint8Array,
    certificate: Uint8Array,
    random: Uint8Array,
    registration: boolean,
    salt: Bytes,
    aad: Bytes,
    splitter: Bytes,
  ): Uint8Array<ArrayBuffer>;
  initialCounter(hashKey: Uint8Array, nonce: Uint8Array): Uint8Array<ArrayBuffer>;
  joinPieceTags(
    hashKey: Uint8Array,
    pieceMask: Uint8Array,
    tagMask: Uint8Array,
    aad: Uint8Array,
    pieceBytes: bigint,
    textBytes: bigint,
    tags: Uint8Array,
  ): Uint8Array<ArrayBuffer>;
  cryptPiece(key: Uint8Array, counter: Uint8Array, piece: Uint8Array): Uint8Array<ArrayBuffer>;
  sealContent(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, content: Uint8Array): Uint8Array<ArrayBuffer>;
  openContent(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): Uint8Array<ArrayBuffer>;
  planBody(
    kind: number,
    subject: Uint8Array,
    random: Uint8Array,
    timestamp: string,
    transaction: string,
  ): KeyedBodyPlan;
  readBody(kind: number, sealed: Uint8Array, modulusLength: number, timestamp: string, transaction: string): Body;
  authRequestHash(json: Uint8Array): string;
  writeContainer(names: readonly string[], lengths: Uint32Array, bytes: Uint8Array): Uint8Array<ArrayBuffer>;
  readContainer(archive: Uint8Array): StoredEntry[];
  crc32(bytes: Uint8Array): number;
  encryptedHash(registrationPacket: Uint8Array): string;
  parsePacket(head: Uint8Array, totalLength: bigint, registration: boolean): ParsedPacket;
  headBytes(): number;
  stackStart(): number;
  stackEnd(): number;
  readFrame(
    head: Uint8Array,
    totalLength: bigint,
    modulusLength: number,
    registration: boolean,
    salt: Bytes,
    aad: Bytes,
    splitter: Bytes,
  ): Frame;
  open(
    packet: Uint8Array,
    dataKey: Uint8Array,
    modulusLength: number,
    registration: boolean,
    salt: Bytes,
    aad: Bytes,
    splitter: Bytes,
  ): Uint8Array<ArrayBuffer>;
}

/** What an instance imports, and its bindings: state of that instance only. */
export interface Glue extends Bindings {
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
}

export function newGlue(): Glue;
