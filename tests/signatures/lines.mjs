import { createInterface } from "node:readline";

/** Reads one JSON request a line, has the function of the name in `call` answer it, and writes one JSON answer a line. */
export async function serve(calls) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { call, ...request } = JSON.parse(line);
    let answer;
    try {
      answer = await calls[call](request);
    } catch (error) {
      answer = { error: error.code ?? String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
