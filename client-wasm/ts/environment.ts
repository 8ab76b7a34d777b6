// What the host lends: the tests lend something else.

export interface Environment {
  /** WebCrypto, where the origin is trustworthy. */
  readonly subtle: SubtleCrypto | undefined;
  /** Fills the array with random bytes. */
  readonly random: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** The bytes between wrapped key and content; undefined: those of nearly every installation. */
  readonly splitter: Uint8Array | undefined;
  /** From this length of content on, WebCrypto is faster than WebAssembly. */
  readonly webCryptoFrom: number;
  /** Longer content is encrypted in pieces, which then is the faster way: a large result of one call costs more. */
  readonly sealInPiecesFrom: number;
  /** Longer packets are opened in pieces, which takes two passes. */
  readonly openInPiecesFrom: number;
  /** Length of a piece: a multiple of 16. */
  readonly pieceBytes: number;
  /** The longest content that AES-GCM takes. */
  readonly maxContentBytes: number;
}

const MEBIBYTE = 1024 * 1024;

export function hostEnvironment(): Environment {
  const { crypto } = globalThis;
  return {
    subtle: crypto.subtle as SubtleCrypto | undefined,
    random: (bytes) => crypto.getRandomValues(bytes),
    splitter: undefined,
    webCryptoFrom: 8 * 1024,
    sealInPiecesFrom: 2 * MEBIBYTE,
    openInPiecesFrom: 64 * MEBIBYTE,
    // Larger ones take memory that the system has to clear each time: half the speed in Chromium.
    pieceBytes: MEBIBYTE / 2,
    maxContentBytes: 2 ** 36 - 32,
  };
}

/** What the caller says about a packet's layout. */
export interface Layout {
  readonly registration: boolean;
  readonly salt: Uint8Array | undefined;
  readonly aad: Uint8Array | undefined;
}

export const REGISTRATION: Layout = { registration: true, salt: undefined, aad: undefined };

/** The shortest nonce that every browser's WebCrypto takes. */
export const WEB_CRYPTO_NONCE_BYTES = 12;
