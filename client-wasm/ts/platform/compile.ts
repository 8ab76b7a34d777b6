import { KunjiError } from "../errors.ts";

/** `\0asm`. */
const MAGIC = [0x00, 0x61, 0x73, 0x6d];

export function notLoaded(message: string, cause?: unknown): KunjiError {
  return new KunjiError(
    "runtime.load",
    message,
    "try again; if it stays, check that kunji.wasm of the package is served beside the script that was built from it",
    { cause },
  );
}

export async function compileBytes(source: Response | Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  try {
    if (source instanceof Uint8Array) return await WebAssembly.compile(source);
    const mediaType = source.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
    // Compiling while it arrives needs the right media type, which not every server knows.
    if (mediaType === "application/wasm") return await WebAssembly.compileStreaming(source);
    const bytes = await source.arrayBuffer();
    const head = new Uint8Array(bytes, 0, Math.min(bytes.byteLength, MAGIC.length));
    if (MAGIC.some((byte, index) => head[index] !== byte)) {
      throw notLoaded(`${source.url} is not WebAssembly but ${mediaType || "something else"}`);
    }
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    if (cause instanceof KunjiError) throw cause;
    if (cause instanceof WebAssembly.CompileError) {
      throw new KunjiError(
        "runtime.unsupported",
        "WebAssembly could not be compiled",
        "if the page has a Content-Security-Policy, add 'wasm-unsafe-eval' to its script-src; otherwise use a current browser",
        { cause },
      );
    }
    throw notLoaded("kunji.wasm could not be read", cause);
  }
}
