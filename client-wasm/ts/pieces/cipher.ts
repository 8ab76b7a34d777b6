// AES-256-GCM in pieces, with the same bytes as in one shot: docs/packet-format.md has the proof.
//
// WebCrypto's AES in counter mode encrypts a piece by itself. Its AES-GCM hashes one: given as associated data, with no
// content, the tag is the piece's hash under a mask. WebAssembly joins those. All pieces are hashed under one nonce:
// two such tags give away the hash key, so none leaves this file, and all are overwritten.

import { cipherFailure } from "../errors.ts";
import { withBindings } from "../wasm.ts";
import type { Bytes } from "./reader.ts";

export const BLOCK_BYTES = 16;

/** What AES does with a piece, whoever does it. */
export interface PieceCipher {
  /** Encrypts or decrypts, from this counter block on. */
  crypt(counter: Bytes, piece: Bytes): Promise<Bytes>;
  /** The tag of AES-GCM with the piece as associated data and nothing else. */
  tag(piece: Bytes): Promise<Bytes>;
}

const PIECE_NONCE_BYTES = 12;

export function pieceCipherOfWebCrypto(subtle: SubtleCrypto, ctr: CryptoKey, gcm: CryptoKey): PieceCipher {
  const iv = new Uint8Array(PIECE_NONCE_BYTES);
  const nothing = new Uint8Array();
  return {
    async crypt(counter, piece) {
      return new Uint8Array(await subtle.encrypt({ name: "AES-CTR", counter, length: 32 }, ctr, piece));
    },
    async tag(additionalData) {
      return new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv, additionalData }, gcm, nothing));
    },
  };
}

/** Where there is no WebCrypto. The caller wipes `key`. */
export function pieceCipherOfWasm(key: Bytes): PieceCipher {
  const [iv, nothing] = [new Uint8Array(PIECE_NONCE_BYTES), new Uint8Array()];
  return {
    crypt: (counter, piece) => withBindings((bindings) => bindings.cryptPiece(key, counter, piece)),
    tag: (piece) => withBindings((bindings) => bindings.sealContent(key, iv, piece, nothing)),
  };
}

/** The cipher of one packet. */
export class Pieces {
  readonly #cipher: PieceCipher;
  /** `H`, and the mask of the tags of pieces. */
  readonly #hashKey: Bytes;
  readonly #pieceMask: Bytes;
  #initialCounter: Bytes | undefined;
  /** The tags of the pieces, one behind the other. */
  #tags = new Uint8Array(64 * BLOCK_BYTES);
  #count = 0;
  #isWiped = false;

  private constructor(cipher: PieceCipher, zeroAndOne: Bytes) {
    this.#cipher = cipher;
    this.#hashKey = zeroAndOne.subarray(0, BLOCK_BYTES);
    this.#pieceMask = zeroAndOne.subarray(BLOCK_BYTES);
  }

  static async of(cipher: PieceCipher): Promise<Pieces> {
    // The blocks 0 and 1: H = E(0), and E of the counter block that a nonce of zeros begins with.
    return new Pieces(cipher, await cipher.crypt(new Uint8Array(BLOCK_BYTES), new Uint8Array(2 * BLOCK_BYTES)));
  }

  /** What follows needs the packet's nonce. */
  async setNonce(nonce: Bytes): Promise<void> {
    this.#initialCounter = await withBindings((bindings) => bindings.initialCounter(this.#hashKey, nonce));
  }

  /** Encrypts or decrypts the piece that stands at `offset` of the content. */
  async crypt(offset: number, piece: Bytes): Promise<Bytes> {
    const text = await this.#cipher.crypt(this.#counterAt(1 + offset / BLOCK_BYTES), piece);
    if (text.length !== piece.length) throw cipherFailure(undefined);
    return text;
  }

  /** Hashes the next piece of ciphertext. */
  async hash(piece: Bytes): Promise<void> {
    const index = this.#count++;
    const tag = await this.#cipher.tag(piece);
    const start = index * BLOCK_BYTES;
    if (start >= this.#tags.length) {
      const more = new Uint8Array(2 * start);
      more.set(this.#tags);
      this.#tags.fill(0);
      this.#tags = more;
    }
    if (!this.#isWiped) this.#tags.set(tag, start);
    tag.fill(0);
  }

  /** Whether a piece is the one that was hashed as number `index`. */
  async isSame(index: number, piece: Bytes): Promise<boolean> {
    const tag = await this.#cipher.tag(piece);
    const isSame = isEqual(tag, this.#tags.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES));
    tag.fill(0);
    return isSame;
  }

  /** The tag of the whole. */
  async join(aad: Bytes, pieceBytes: number, textBytes: number): Promise<Bytes> {
    const tagMask = await this.#cipher.crypt(this.#counterAt(0), new Uint8Array(BLOCK_BYTES));
    try {
      const tags = this.#tags.subarray(0, this.#count * BLOCK_BYTES);
      const [hashKey, pieceMask] = [this.#hashKey, this.#pieceMask];
      return await withBindings((bindings) =>
        bindings.joinPieceTags(hashKey, pieceMask, tagMask, aad, BigInt(pieceBytes), BigInt(textBytes), tags),
      );
    } finally {
      tagMask.fill(0);
    }
  }

  wipe(): void {
    this.#isWiped = true;
    for (const secret of [this.#hashKey, this.#pieceMask, this.#tags]) secret.fill(0);
  }

  /** `J0`, its last 32 bits so many further. */
  #counterAt(blocks: number): Bytes {
    const counter = (this.#initialCounter ?? new Uint8Array(BLOCK_BYTES)).slice();
    const view = new DataView(counter.buffer);
    view.setUint32(12, (view.getUint32(12) + blocks) % 2 ** 32);
    return counter;
  }
}

/** In a time that does not tell where they differ. */
export function isEqual(left: Bytes, right: Bytes): boolean {
  let difference = left.length ^ right.length;
  for (let i = 0; i < left.length; i++) difference |= (left[i] ?? 0) ^ (right[i] ?? 0);
  return difference === 0;
}
