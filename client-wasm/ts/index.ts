export { decryptPacket, decryptRegistrationPacket } from "./decrypt.ts";
export { encryptPacket, encryptRegistrationPacket } from "./encrypt.ts";
export { KunjiError } from "./errors.ts";
export { fetchRecipient } from "./fetch.ts";
export { parseRecipient, Recipient } from "./recipient.ts";
export { decryptPacketStream, encryptPacketStream, PacketEncryptionStream } from "./streams.ts";
