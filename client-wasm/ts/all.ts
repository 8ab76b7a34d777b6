// Everything in one file, for Node, where the entries take their part of it.

export * from "./form.ts";
export * from "./index.ts";
export * from "./jws.ts";
export * from "./layouts.ts";
export * from "./queue.ts";
export * from "./recipients.ts";
