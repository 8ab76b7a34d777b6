// The one instance of the WebAssembly module: loaded by the first call, given up after a trap.

import { type Bindings, newGlue } from "#glue";
import { compileModule } from "#platform";
import { KunjiError } from "./errors.ts";

interface Exports extends WebAssembly.Exports {
  readonly memory: WebAssembly.Memory;
  readonly __wbindgen_start: () => void;
}

interface Instance {
  readonly bindings: Bindings;
  readonly memory: WebAssembly.Memory;
  readonly stackStart: number;
  readonly stackEnd: number;
  isGivenUp: boolean;
}

let compiled: Promise<WebAssembly.Module> | undefined;
let current: Promise<Instance> | undefined;

/**
 * Runs `use` on an instance that is fit for use. Calls keep nothing in it for one another.
 *
 * `use` gets nothing into the instance but bytes that are there and texts: a trap, such as a panic or a lack of memory,
 * leaves an instance in an unknown state, and so does an exception on the way into it. Then it is wiped and the next
 * call gets a new one.
 */
export async function withBindings<T>(use: (bindings: Bindings) => T): Promise<T> {
  let instance = await currentInstance();
  // Another call may have trapped between the two; nothing can from here on.
  while (instance.isGivenUp) instance = await currentInstance();
  try {
    return use(instance.bindings);
  } catch (error) {
    if (error instanceof KunjiError) throw error;
    giveUp(instance);
    throw new KunjiError(
      "runtime.failed",
      "the WebAssembly code stopped",
      "try again with less data at a time; if it happens again, report it",
      { cause: error },
    );
  } finally {
    if (!instance.isGivenUp) wipeStack(instance);
  }
}

/** What a call leaves below the stack's end: parts of contents and keys. The heap wipes itself. */
function wipeStack({ memory, stackStart, stackEnd }: Instance): void {
  new Uint8Array(memory.buffer).fill(0, stackStart, stackEnd);
}

/** What lies in the instance's memory, for the tests. */
export async function memoryOf(): Promise<Uint8Array> {
  return new Uint8Array((await currentInstance()).memory.buffer);
}

/** Loads ahead of the first use. */
export async function preload(): Promise<void> {
  await currentInstance();
}

function currentInstance(): Promise<Instance> {
  current ??= start().catch((error: unknown) => {
    current = undefined;
    throw error;
  });
  return current;
}

async function start(): Promise<Instance> {
  compiled ??= compile().catch((error: unknown) => {
    // A later call may find the network back.
    compiled = undefined;
    throw error;
  });
  const module = await compiled;
  const glue = newGlue();
  const instance = await WebAssembly.instantiate(module, { "./kunji_bg.js": { ...glue } });
  const exports = instance.exports as Exports;
  glue.__wbg_set_wasm(exports);
  exports.__wbindgen_start();
  const [stackStart, stackEnd] = [glue.stackStart(), glue.stackEnd()];
  return { bindings: glue, memory: exports.memory, stackStart, stackEnd, isGivenUp: false };
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

/** The instance is the current one: no other is handed out. */
function giveUp(instance: Instance): void {
  instance.isGivenUp = true;
  current = undefined;
  new Uint8Array(instance.memory.buffer).fill(0);
  // Growing by nothing detaches the buffer: who still holds a view sees nothing.
  instance.memory.grow(0);
}
