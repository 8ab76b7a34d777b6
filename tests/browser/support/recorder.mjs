// A wire tap: everything that the browser sends to the server, byte by byte.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { serverUrl } from "./surroundings.mjs";

/** Stands between browser and server, hands its own origin to `use`, and returns what the browser sent. */
export async function recording(use) {
  const { hostname, port } = new URL(serverUrl);
  const sent = [];
  const sockets = new Set();
  const tap = createServer((browser) => {
    const server = connect(Number(port), hostname);
    for (const socket of [browser, server]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    browser.on("data", (bytes) => sent.push(bytes));
    browser.pipe(server).pipe(browser);
  });
  tap.listen(0, "127.0.0.1");
  await once(tap, "listening");
  try {
    await use(`http://127.0.0.1:${tap.address().port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    tap.close();
  }
  return Buffer.concat(sent);
}
