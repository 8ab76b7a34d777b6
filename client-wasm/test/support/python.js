// Runs scripts of the independent implementation, in a Python that has pyca/cryptography: where several Pythons are
// installed, the package of the system belongs to one of them only.

import { execFileSync } from "node:child_process";

const PYTHONS = ["python3", "/usr/bin/python3"];

const python = PYTHONS.find((candidate) => {
  try {
    execFileSync(candidate, ["-c", "import cryptography"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

/** What the script prints, given this text. */
export function runPython(script, input = "") {
  if (python === undefined) {
    throw new Error("no Python here has pyca/cryptography: run .scripts/setup browser");
  }
  return execFileSync(python, [script], { input, maxBuffer: 2 ** 28 });
}
