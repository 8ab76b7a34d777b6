// What a packet shows to whoever has no key.

import type { BinaryInput } from "#api";
import type { ParsedPacket, ParseOptions } from "#layouts";

import { isTagged, wrongType } from "../input.ts";
import { readerOf } from "../pieces/reader.ts";
import { withBindings } from "../wasm.ts";
import { optionsOf } from "./text.ts";

const ACCEPTED = "Uint8Array, ArrayBuffer or Blob";

export async function parsePacket(packet: BinaryInput, options: ParseOptions = {}): Promise<ParsedPacket> {
  const { registration = false } = optionsOf(options);
  const headBytes = await withBindings((bindings) => bindings.headBytes());
  // What is read once cannot be opened then.
  if (isTagged(packet, "ReadableStream")) throw wrongType("packet", ACCEPTED);
  const reader = readerOf(packet, ACCEPTED);
  const head = await reader.read(headBytes);
  reader.cancel(undefined);
  const size = BigInt(reader.length ?? head.length);
  return await withBindings((bindings) => bindings.parsePacket(head, size, registration === true));
}
