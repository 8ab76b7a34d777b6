// Fresh projects that have installed the npm package's tarball, and nothing else.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const run = promisify(execFile);

/** The repository. */
export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A place for projects: `project` makes one and returns its directory, `remove` ends it. */
export async function packedPackage() {
  const directory = await mkdtemp(join(tmpdir(), "kunji-package-"));
  await run("npm", ["pack", "--silent", "--pack-destination", directory], { cwd: join(root, "client-wasm/pkg") });
  const [name] = await readdir(directory);
  const tarball = join(directory, name);

  async function project(name, files) {
    const path = join(directory, name);
    await mkdir(path);
    await writeFile(join(path, "package.json"), JSON.stringify({ name, private: true }));
    await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: path });
    assert.deepEqual(
      await readdir(join(path, "node_modules")),
      [".package-lock.json", "@kunji"],
      "no dependency came along",
    );
    for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
    return path;
  }

  return { project, remove: () => rm(directory, { recursive: true, force: true }) };
}
