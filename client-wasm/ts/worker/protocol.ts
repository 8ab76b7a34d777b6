// What a page and its worker say to each other. Each call has a channel of its own, and so has each stream.

import type { ErrorCode, Progress } from "#api";

export type Operation =
  | "decryptPacket"
  | "decryptPacketStream"
  | "decryptRegistrationPacket"
  | "encryptPacket"
  | "encryptPacketStream"
  | "encryptRegistrationPacket";

/** What crosses to the worker: a stream as the port that its parts come through. */
export type Handed =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "stream"; readonly port: MessagePort }
  | { readonly kind: "reopenable"; readonly size: unknown; readonly port: MessagePort };

export interface Call {
  readonly operation: Operation;
  readonly data: Handed;
  /** The certificate of a recipient that the page has checked, or a private key. */
  readonly key: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly reportsProgress: boolean;
  /** For answers; the page says here, once, that it wants no more of the call. */
  readonly port: MessagePort;
}

export type Answer =
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "stream"; readonly port: MessagePort; readonly length: number | undefined }
  | { readonly kind: "failure"; readonly failure: Failure };

/** An error on its way: a class does not survive it. */
export interface Failure {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly hint: string;
  readonly cause: unknown;
}

/** Sends what holds a cause, which may be anything, and then does not survive. */
export function postFailure(port: MessagePort, failure: Failure, message: (failure: Failure) => unknown): void {
  try {
    port.postMessage(message(failure));
  } catch {
    port.postMessage(message({ ...failure, cause: undefined }));
  }
}
