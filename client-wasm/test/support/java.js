// Runs programs of the independent implementation, each a single file, by the JDK's own launcher.

import { execFileSync } from "node:child_process";

/** The properties that the program prints, given these. No name or value has anything in it that must be escaped. */
export function runJava(program, properties) {
  const input = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  // It is over before an optimising compiler would be of use.
  const output = execFileSync("java", ["-XX:TieredStopAtLevel=1", program], {
    input: input.join(""),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  const lines = output.trimEnd().split("\n");
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}
