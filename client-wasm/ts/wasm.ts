// The one instance of the WebAssembly module: loaded by the first call, given up after a trap.

import * as glue from "#glue";
import { compileModule } from "#platform";
import { KunjiError } from "./errors.ts";

export type Bindings = Omit<typeof glue, "__wbg_set_wasm">;

interface Exports extends WebAssembly.Exports {
  readonly memory: WebAssembly.Memory;
  readonly __wbindgen_start: () => void;
}

let compiled: Promise<WebAssembly.Module> | undefined;
let started: Promise<Exports> | undefined;

/**
 * Runs `use` on an instance that is fit for use. Calls keep nothing in it for one another.
 *
 * A trap, such as a panic, leaves an instance in an unknown state: it is wiped and the next call gets a new one.
 */
export async function withBindings<T>(use: (bindings: Bindings) => T): Promise<T> {
  const exports = await instance();
  try {
    return use(glue);
  } catch (error) {
    if (error instanceof KunjiError) throw error;
    discard(exports);
    throw new KunjiError(
      "runtime.failed",
      "the WebAssembly code stopped",
      "try again with less data at a time; if it happens again, report it",
      { cause: error },
    );
  }
}

/** What lies in the instance's memory, for the tests. */
export async function memoryOf(): Promise<Uint8Array> {
  return new Uint8Array((await instance()).memory.buffer);
}

/** Loads ahead of the first use. */
export async function preload(): Promise<void> {
  await instance();
}

function instance(): Promise<Exports> {
  started ??= start().catch((error: unknown) => {
    started = undefined;
    throw error;
  });
  return started;
}

async function start(): Promise<Exports> {
  compiled ??= compile().catch((error: unknown) => {
    // A later call may find the network back.
    compiled = undefined;
    throw error;
  });
  const module = await compiled;
  const { exports } = await WebAssembly.instantiate(module, { "./kunji_bg.js": { ...glue } });
  glue.__wbg_set_wasm(exports);
  (exports as Exports).__wbindgen_start();
  return exports as Exports;
}

async function compile(): Promise<WebAssembly.Module> {
  if (typeof WebAssembly === "undefined") {
    throw new KunjiError(
      "runtime.unsupported",
      "this browser has no WebAssembly, or it is switched off",
      "use a current browser; on iOS, Lockdown Mode switches WebAssembly off",
    );
  }
  return await compileModule();
}

function discard({ memory }: Exports): void {
  started = undefined;
  new Uint8Array(memory.buffer).fill(0);
  // Growing by nothing detaches the old buffer, so that no view on it is taken for one on the next instance's.
  memory.grow(0);
}
