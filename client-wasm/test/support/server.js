// A web server for pages under test: files and functions by path, every answer under the policy that the package
// promises to work under.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

export const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

const MEDIA_TYPES = {
  ".cjs": "text/javascript",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

const BLANK = "<!doctype html><meta charset=utf-8><title>test</title>";

/**
 * `routes` maps a path, or a beginning of one that ends in a slash, to a file or directory, or to a function that
 * answers `(request, response)` itself.
 */
export async function serve(routes, { policy = POLICY, mediaTypes = {} } = {}) {
  const types = { ...MEDIA_TYPES, ...mediaTypes };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    response.setHeader("content-security-policy", policy);
    try {
      if (pathname === "/") return response.setHeader("content-type", types[".html"]).end(BLANK);
      // Browsers ask for it by themselves.
      if (pathname === "/favicon.ico") return response.writeHead(204).end();
      const route = Object.keys(routes).find(
        (key) => pathname === key || (key.endsWith("/") && pathname.startsWith(key)),
      );
      if (route === undefined) throw new Error("no route");
      if (typeof routes[route] === "function") return await routes[route](request, response);
      const file = routes[route] + (route.endsWith("/") ? pathname.slice(route.length) : "");
      const bytes = await readFile(file);
      response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream").end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    port,
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
