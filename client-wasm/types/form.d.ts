/**
 * A form with its files, as one packet.
 *
 * As with the functions of `@kunji/client`, every failure is a `KunjiError`, except that an aborted `signal` rejects
 * with its reason.
 */

import type { CallOptions, Recipient } from "./index.js";

export interface SealFormOptions extends CallOptions {
  /** Whether it is to be a registration packet. */
  readonly registration?: boolean | undefined;
  /** The button that was pressed (`event.submitter`), if its name and value belong to what is sent. */
  readonly submitter?: HTMLElement | null | undefined;
}

/** A field that is not valid: an element of the `cause` of an error `form.invalid`. */
export interface FormFault {
  readonly name: string;
  /** The browser's own words, in the user's language. */
  readonly message: string;
  readonly element: HTMLElement;
}

/**
 * Encrypts what a form has when it is called: its successful fields (as `FormData` has them), and up to 64 MiB of files.
 *
 * The content is a JSON in UTF-8: `{"format": "kunji.form/1", "fields": {name: [value, …]}, "files": [{"field", "name",
 * "type", "size", "data"}]}`, with `data` in base64. Fails with `form.invalid`, whose `cause` is a list of
 * {@link FormFault}, if the form is validated and is not valid: nothing is shown, which is the caller's to do.
 */
export function sealForm(
  form: HTMLFormElement | FormData,
  recipient: Recipient,
  options?: SealFormOptions,
): Promise<Uint8Array<ArrayBuffer>>;

export interface FormContent {
  /** The values of each field, in their order. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** Names and types are what the sender said they are. */
  readonly files: readonly { readonly field: string; readonly file: File }[];
}

/** Reads the content of a packet that {@link sealForm} made. Fails with `form.malformed`. */
export function parseForm(content: Uint8Array): FormContent;
