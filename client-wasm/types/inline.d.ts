/**
 * All of `@kunji/client` in one script, WebAssembly included, for where no file can be loaded beside it.
 *
 * It stands alone: its recipients and errors are not those of the other entries. Import everything from here.
 */

export * from "./form.js";
export * from "./index.js";
export * from "./jws.js";
export * from "./layouts.js";
export * from "./queue.js";
export * from "./recipients.js";
