// Pages of another origin than the server's.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

/**
 * Serves files at `origin` while `use` runs. `contentOf` has the content of a path, or throws; `policy` is the
 * pages' Content-Security-Policy, if they have one.
 */
export async function withFiles(origin, contentOf, use, policy) {
  const headers = policy ? { "content-security-policy": policy } : {};
  const server = createServer(async (request, response) => {
    try {
      const content = await contentOf(request.url);
      const type = types[extname(request.url) || ".html"] ?? "text/plain";
      response.writeHead(200, { ...headers, "content-type": type }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(Number(new URL(origin).port), "127.0.0.1");
  await once(server, "listening");
  try {
    return await use();
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
}

/** The files of a directory, with `index.html` for the blank path. */
export const below = (directory) => (path) => readFile(`${directory}${path === "/" ? "/index.html" : path}`);
