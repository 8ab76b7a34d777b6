/**
 * Recipients from a server, kept and renewed, and from a file for where there is no network.
 *
 * As with the functions of `@kunji/client`, every failure is a `KunjiError`, and nothing is used that does not chain to
 * a pinned anchor.
 */

import type { Recipient, RecipientOptions } from "./index.js";

/** What a key manager calls a key by. */
export interface RecipientName {
  readonly application: string;
  readonly reference: string;
}

export interface KeyManagerOptions {
  /** Where the server is, such as `https://keys.example.org`. */
  readonly url: string | URL;
  /**
   * `kunji`, unless given: the public certificates, `GET /v1/certificates/{application}/{reference}`. `mosip`:
   * `GET /v1/keymanager/getCertificate`, whose answers have no chain, so that the issuer is to be among the anchors.
   */
  readonly api?: "kunji" | "mosip" | undefined;
  /** Trust anchors: PEM, one or more certificates in each string. */
  readonly anchors: readonly string[];
  /**
   * Gives the access token for each request. Keeping it is up to the function, which is called with `true`, once, if
   * the server refused the last one. Public certificates need none.
   */
  readonly token?: ((wasRefused: boolean) => string | Promise<string>) | undefined;
  /** What {@link KeyManagerClient.bundle} made: used until the server can be asked. */
  readonly bundle?: string | undefined;
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Used instead of the machine's clock, which is then not compared with the server's. */
  readonly now?: (() => Date) | undefined;
  /** Used instead of `Math.random` to spread requests. Nothing secret depends on it. */
  readonly random?: (() => number) | undefined;
  /** Used instead of a timer: resolves after so many milliseconds, or when the signal is aborted. */
  readonly sleep?: ((milliseconds: number, signal: AbortSignal) => Promise<void>) | undefined;
}

/**
 * The certificates of one server.
 *
 * They are kept as long as the server allows, and renewed in the background after that (`If-None-Match`), at the latest
 * when a third of their time is over; while the server is away, they are used as long as they are valid. Calls at the
 * same time make one request. A request that fails for want of a network, or with 408, 425, 429 or 5xx, is made up to
 * four times, after delays that double and are drawn at random, and not before `Retry-After`.
 */
export class KeyManagerClient {
  constructor(options: KeyManagerOptions);
  /**
   * The server's clock less this machine's, in milliseconds, by the last answer that told it. More than a few minutes
   * are worth telling the user, before certificates fail with `recipient.clock`.
   */
  readonly clockSkew: number | undefined;
  /** The certificate for a key, checked. Fails as `fetchRecipient` does. */
  recipient(
    application: string,
    reference: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<Recipient>;
  /** The certificates for these keys as text, for a file. It has nothing secret in it, and is checked when it is used. */
  bundle(names: readonly RecipientName[], options?: { readonly signal?: AbortSignal | undefined }): Promise<string>;
}

export interface ParseBundleOptions extends RecipientOptions, RecipientName {}

export interface BundledRecipient {
  readonly recipient: Recipient;
  /** When the bundle's maker had it from the server, by its own clock. A claim of whoever made the file. */
  readonly fetchedAt: Date;
}

/**
 * Takes a certificate out of a bundle, and checks it as `parseRecipient` does.
 *
 * Fails with `bundle.*`, or with `recipient.clock` if the certificate is not valid yet by a clock that is behind the
 * time at which the bundle was made.
 */
export function parseBundle(bundle: string, options: ParseBundleOptions): Promise<BundledRecipient>;
