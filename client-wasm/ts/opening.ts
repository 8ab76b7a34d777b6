// Opening, loaded when it is first asked for: pages that only encrypt, which most do, never load it.

import type {
  BinaryInput,
  ByteStream,
  DecryptOptions,
  DecryptRegistrationOptions,
  DecryptStreamOptions,
  ReopenableSource,
} from "#api";
import { hostEnvironment, REGISTRATION } from "./environment.ts";
import { layoutWith } from "./input.ts";
import { notLoaded } from "./platform/compile.ts";
import { layoutOf } from "./streams.ts";
import { Watch } from "./watch.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export async function decryptPacket(
  packet: BinaryInput,
  privateKey: CryptoKey,
  options: DecryptOptions = {},
): Promise<Bytes> {
  // Options are those of the call: copied before anything is awaited.
  const [layout, watch] = [layoutWith(options), new Watch(options)];
  return await (await opening()).open(packet, privateKey, layout, hostEnvironment(), watch);
}

export async function decryptRegistrationPacket(
  packet: BinaryInput,
  privateKey: CryptoKey,
  options: DecryptRegistrationOptions = {},
): Promise<Bytes> {
  const watch = new Watch(options);
  return await (await opening()).open(packet, privateKey, REGISTRATION, hostEnvironment(), watch);
}

export async function decryptPacketStream(
  packet: BinaryInput | ReopenableSource,
  privateKey: CryptoKey,
  options: DecryptStreamOptions = {},
): Promise<ByteStream & { readonly length: number }> {
  const [layout, watch] = [layoutOf(options), new Watch(options)];
  return await (await opening()).openStream(packet, privateKey, layout, hostEnvironment(), watch);
}

async function opening(): Promise<typeof import("./decrypt.ts")> {
  try {
    return await import("./decrypt.ts");
  } catch (cause) {
    throw notLoaded("the part of the package that opens packets could not be loaded", cause);
  }
}
