// What a user of the package writes must compile, and what would fail must not.

import {
  decryptPacket,
  decryptPacketStream,
  type ErrorCode,
  encryptPacket,
  encryptPacketStream,
  encryptRegistrationPacket,
  fetchRecipient,
  type Input,
  KunjiError,
  PacketEncryptionStream,
  parseRecipient,
  type Recipient,
} from "#api";

import { parseForm, sealForm } from "#form";
import { verifyJws } from "#jws";
import { decryptForMachine, encryptAuthRequest, encryptRegistrationContainer } from "#layouts";
import { openQueue, type Transport } from "#queue";
import { KeyManagerClient, parseBundle } from "#recipients";
import { PacketWorker } from "#worker";

declare const key: CryptoKey;
declare const file: File;

export async function usage(): Promise<void> {
  const controller = new AbortController();
  const recipient: Recipient = await fetchRecipient("/v1/certificates/A/B", {
    anchors: ["pem"],
    signal: controller.signal,
    fetch: globalThis.fetch,
  });
  await fetchRecipient(new URL("https://example.org"), { anchors: ["pem"], now: new Date(), signal: undefined });
  await parseRecipient("pem", { anchors: ["pem"] as const });
  const inputs: Input[] = ["text", file, file.stream(), new Uint8Array(1), new ArrayBuffer(1), new Blob()];
  for (const input of inputs) {
    const packet: Uint8Array = await encryptPacket(input, recipient, { salt: new Uint8Array(12), aad: undefined });
    // A packet can be sent as it is.
    await fetch("/", { method: "POST", body: packet as Uint8Array<ArrayBuffer> });
    new Blob([await encryptRegistrationPacket(input, recipient)]);
    const content: Uint8Array = await decryptPacket(packet, key, { salt: new Uint8Array(12) });
    void content;
  }
  const size: 2048 | 3072 | 4096 = recipient.modulusLength;
  void size;

  // @ts-expect-error a recipient comes from a check
  await encryptPacket("text", "pem");
  // @ts-expect-error a recipient cannot be changed
  recipient.pem = "";
  // @ts-expect-error nobody makes one by hand
  new (recipient.constructor as typeof Recipient)();
  // @ts-expect-error anchors are needed
  await parseRecipient("pem", {});
  // @ts-expect-error anchors are a list
  await parseRecipient("pem", { anchors: "pem" });
  // @ts-expect-error text is no packet
  await decryptPacket("text", key);
  // @ts-expect-error numbers are no input
  await encryptPacket(5, recipient);
}

export async function moreUsage(recipient: Recipient): Promise<void> {
  const { readable, length } = await encryptPacketStream(file.stream(), recipient, {
    registration: true,
    onProgress: ({ bytes, total }) => console.log(bytes, total),
  });
  const known: number | undefined = length;
  await fetch("/", { method: "POST", body: readable });
  file.stream().pipeThrough(new PacketEncryptionStream(recipient)).pipeTo(new WritableStream());
  const opened = await decryptPacketStream({ size: 5, open: () => file.stream() }, key);
  const exact: number = opened.length;
  void [known, exact];
  const request = await encryptAuthRequest("{}", recipient);
  JSON.stringify({ ...request, id: "mosip.identity.auth" });
  const { payload, signer } = await verifyJws("a.b.c", { anchors: ["pem"], payload: new Uint8Array(1) });
  void [payload.length, signer.notAfter.getTime()];
  await encryptRegistrationContainer({ id: "1", subPackets: [{ name: "id", content: file }] }, recipient, {
    sign: async (bytes) => new Uint8Array(await crypto.subtle.sign("RSASSA-PKCS1-v1_5", key, bytes)),
  });
  // @ts-expect-error a container is signed
  await encryptRegistrationContainer({ id: "1", subPackets: [] }, recipient);
  // @ts-expect-error what is for Android cannot be opened here
  await decryptForMachine(file, key, { kind: "android" });
  // @ts-expect-error a stream is read once only
  await decryptPacketStream(file.stream(), key);
  // @ts-expect-error small layouts are made of what is in memory
  await encryptAuthRequest(file.stream(), recipient);
}

export function explain(error: unknown): string {
  if (!(error instanceof KunjiError)) throw error;
  const code: ErrorCode = error.code;
  switch (code) {
    case "recipient.expired":
      return error.hint;
    // @ts-expect-error there is no such code
    case "recipient.wrong":
      return error.message;
    default:
      return `${error.name} ${code}`;
  }
}

export async function usageOfRecipients(): Promise<Recipient> {
  const keys = new KeyManagerClient({ url: "/", anchors: ["pem"], token: async (wasRefused) => `${wasRefused}` });
  const name = { application: "A", reference: "B" };
  const { recipient } = await parseBundle(await keys.bundle([name]), { ...name, anchors: ["pem"] });
  // @ts-expect-error it is measured
  keys.clockSkew = 0;
  // @ts-expect-error anchors are needed
  new KeyManagerClient({ url: "/" });
  await encryptPacket("text", recipient);
  return await keys.recipient("A", "B", { signal: AbortSignal.timeout(1) });
}

export async function usageOfQueue(recipient: Recipient): Promise<number> {
  const queue = await openQueue({ maxPackets: 5 });
  const { id } = await queue.enqueue(file, recipient, { registration: true, label: "a" });
  const transport: Transport = async (body, { signal }) => (await fetch("/", { method: "PUT", body, signal })).ok;
  // @ts-expect-error an answer is no acknowledgement
  await queue.send(async (body) => fetch("/", { method: "PUT", body }));
  // @ts-expect-error text is no packet
  await queue.add("text");
  await queue.remove(id);
  return (await queue.send(transport, { timeLimit: 1000 })).waiting;
}

export async function usageOfForm(form: HTMLFormElement, event: SubmitEvent, recipient: Recipient): Promise<string[]> {
  await sealForm(new FormData(), recipient);
  const packet = await sealForm(form, recipient, { submitter: event.submitter, registration: true });
  return parseForm(packet).files.map(({ file }) => file.name);
}

export async function usageOfWorker(recipient: Recipient): Promise<Uint8Array> {
  const worker = new PacketWorker();
  const packet = await worker.encryptPacket(new Uint8Array(5), recipient, { transfer: true, onProgress: console.log });
  const { readable } = await worker.encryptPacketStream(file, recipient, { registration: true });
  void readable;
  // @ts-expect-error a stream is read once only
  await worker.decryptPacketStream(file.stream(), key);
  worker.close();
  return packet;
}
