export { openQueue } from "./queue/queue.ts";
