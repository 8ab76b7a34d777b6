// Where the module's bytes come from in a browser: the file beside this script, which bundlers know by this form.

import { compileResponse, notLoaded } from "./compile.ts";

export async function compileModule(): Promise<WebAssembly.Module> {
  const url = new URL("./kunji.wasm", import.meta.url);
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin" });
  } catch (cause) {
    throw notLoaded(`${url.href} could not be fetched`, cause);
  }
  if (!response.ok) throw notLoaded(`${url.href} could not be fetched: HTTP status ${response.status}`);

  return await compileResponse(response);
}
