import { defineConfig } from "vite";

export default defineConfig({
  base: "/demo/",
  build: {
    target: "es2023",
    // The server's Content-Security-Policy admits no data: addresses, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ["index.html", "review.html"] },
  },
});
