// What Node has: everything, with a worker that needs none.

export * from "./all.ts";
export { PacketWorker } from "./worker/same-thread.ts";
