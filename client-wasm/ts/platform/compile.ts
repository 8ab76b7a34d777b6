import { KunjiError } from "../errors.ts";

/** What a module begins with: `\0asm`. */
const MAGIC = [0x00, 0x61, 0x73, 0x6d];

export function notLoaded(message: string, cause?: unknown): KunjiError {
  return new KunjiError(
    "runtime.load",
    message,
    "try again; if it stays, check that kunji.wasm of the package is served beside the script that was built from it",
    { cause },
  );
}

/** Compiles while it arrives where the server knows the media type, which not every server does. */
export async function compileResponse(response: Response): Promise<WebAssembly.Module> {
  const mediaType = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (mediaType === "application/wasm") return await compiled(WebAssembly.compileStreaming(response));
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw notLoaded(`${response.url} could not be read to its end`, cause);
  }
  return await compileBytes(bytes, response.url);
}

/** `name` is where the bytes are from. */
export async function compileBytes(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<WebAssembly.Module> {
  if (MAGIC.some((byte, index) => bytes[index] !== byte)) throw notLoaded(`${name} is not WebAssembly`);
  return await compiled(WebAssembly.compile(bytes));
}

async function compiled(compiling: Promise<WebAssembly.Module>): Promise<WebAssembly.Module> {
  try {
    return await compiling;
  } catch (cause) {
    // Streaming may break off.
    if (!(cause instanceof WebAssembly.CompileError)) throw notLoaded("kunji.wasm could not be read to its end", cause);
    throw new KunjiError(
      "runtime.unsupported",
      "WebAssembly could not be compiled",
      "if the page has a Content-Security-Policy, add 'wasm-unsafe-eval' to its script-src; otherwise use a current browser",
      { cause },
    );
  }
}
