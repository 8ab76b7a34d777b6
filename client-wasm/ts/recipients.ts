export { parseBundle } from "./recipients/bundle.ts";
export { KeyManagerClient } from "./recipients/client.ts";
