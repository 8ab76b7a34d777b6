// The npm package's examples for frameworks: built as they stand, and used as people do.
import assert from "node:assert/strict";
import { copyFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import vue from "@vitejs/plugin-vue";
import { build } from "vite";
import { launch } from "./support/browser.mjs";
import { below, withFiles } from "./support/files.mjs";
import { packedPackage, root } from "./support/project.mjs";
import { anchors, open } from "./support/server.mjs";
import { photoFile } from "./support/steps.mjs";
import { exampleOrigin, serverUrl } from "./support/surroundings.mjs";

const policy = `default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ${serverUrl}`;
const page = `<!doctype html><html lang="en"><title>form</title><div id="app"></div><script type="module" src="/main.js"></script>`;

let packed;
before(async () => {
  packed = await packedPackage();
});
after(() => packed?.remove());

const send = `const send = async (packet) => { globalThis.packets = [...(globalThis.packets ?? []), packet]; };`;
const properties = async () => `${send}
  const properties = ${JSON.stringify({
    certificateUrl: `${serverUrl}/v1/certificates/REGISTRATION/10001_110011`,
    anchors: await anchors(),
  })};`;

for (const [name, file, plugins, libraries, main] of [
  [
    "React",
    "RegistrationForm.jsx",
    [],
    ["react", "react-dom"],
    `import { createElement } from "react";
    import { createRoot } from "react-dom/client";
    import { RegistrationForm } from "./RegistrationForm.jsx";
    createRoot(document.querySelector("#app")).render(createElement(RegistrationForm, { ...properties, send }));`,
  ],
  [
    "Vue",
    "RegistrationForm.vue",
    [vue()],
    ["vue"],
    `import { createApp } from "vue";
    import RegistrationForm from "./RegistrationForm.vue";
    createApp(RegistrationForm, { ...properties, send }).mount("#app");`,
  ],
]) {
  test(`the example for ${name} sends what only the key manager can open`, async () => {
    const path = await packed.project(name.toLowerCase(), {
      "index.html": page,
      "main.js": `${await properties()}\n${main}`,
    });
    await copyFile(join(root, "client-wasm/examples", file), join(path, file));
    for (const library of libraries) {
      await symlink(join(root, "tests/browser/node_modules", library), join(path, "node_modules", library));
    }
    await build({ root: path, configFile: false, logLevel: "error", plugins, build: { target: "es2022" } });
    const packets = await withFiles(exampleOrigin, below(join(path, "dist")), fillInAndSend, policy);
    assert.equal(packets.length, 1);
    const content = await open(Buffer.from(packets[0], "base64"));
    const { name: photo, buffer, mimeType } = photoFile();
    assert.deepEqual(content, {
      format: "kunji.form/1",
      fields: { name: ["Asha Ümit Devi"] },
      files: [{ field: "photo", name: photo, type: mimeType, size: buffer.length, data: buffer.toString("base64") }],
    });
  });
}

/** The packets that the page sent, in base64. */
async function fillInAndSend() {
  const context = await (await launch()).newContext();
  const faults = [];
  try {
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(`thrown: ${error}`));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) faults.push(message.text());
    });
    await page.goto(exampleOrigin);
    await page.getByLabel("Name").fill("Asha Ümit Devi");
    await page.getByLabel("Photo").setInputFiles(photoFile());
    await page.getByRole("button", { name: "Encrypt and send" }).click();
    await page
      .locator("output", { hasText: "Sent, as" })
      .waitFor({ timeout: 20_000 })
      .catch((error) => faults.push(error.message));
    assert.deepEqual(faults, []);
    assert.equal(await page.getByLabel("Name").inputValue(), "");
    // Without a server it says what is wrong.
    await context.setOffline(true);
    await page.getByLabel("Name").fill("Asha");
    await page.getByRole("button", { name: "Encrypt and send" }).click();
    await page.getByRole("alert").waitFor({ timeout: 20_000 });
    assert.match(await page.getByRole("alert").innerText(), /^the server could not be reached\. ./);
    assert.deepEqual(
      faults.filter((fault) => !fault.includes("ERR_INTERNET_DISCONNECTED")),
      [],
    );
    return await page.evaluate(() =>
      Promise.all(
        globalThis.packets.map((packet) => btoa(packet.reduce((text, byte) => text + String.fromCharCode(byte), ""))),
      ),
    );
  } finally {
    await context.close();
  }
}
