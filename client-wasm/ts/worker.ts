export { PacketWorker } from "./worker/page.ts";
