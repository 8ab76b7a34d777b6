export { encryptPacket, encryptRegistrationPacket } from "./encrypt.ts";
export { KunjiError } from "./errors.ts";
export { fetchRecipient } from "./fetch.ts";
export { decryptPacket, decryptPacketStream, decryptRegistrationPacket } from "./opening.ts";
export { parseRecipient, Recipient } from "./recipient.ts";
export { encryptPacketStream, PacketEncryptionStream } from "./streams.ts";
