// The layouts beside packets: the ciphertexts of an independent implementation opened, and made again byte for byte, by
// WebCrypto and by WebAssembly. Runs wherever the package does.

const LAYOUTS = ["auth-request", "pin", "machine-local", "machine-android", "machine-tpm", "machine-old"];
const NOW = new Date("2027-01-01T00:00:00Z");

const bytesOf = (base64url) => {
  const text = atob((base64url ?? "").replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
};
const isSame = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);

function check(holds, what) {
  if (!holds) throw new Error(what);
}

const drawn = (...members) => {
  const parts = members.flatMap((member) => [...member]);
  return (bytes) => {
    check(parts.length === bytes.length, `${bytes.length} random bytes were asked for, not ${parts.length}`);
    bytes.set(parts);
  };
};

async function everyLayoutIsMadeAgainAndOpens(kunji, vectors, { byWebCrypto }) {
  const { certificate_pem: pem, private_key_pkcs8_pem: privatePem } = vectors.recipients.rsa2048;
  const recipient = await kunji.parseRecipient(pem, { anchors: [pem], now: NOW });
  const der = bytesOf(privatePem.replaceAll(/-----.*?-----|\s/g, ""));
  const algorithm = { name: "RSA-OAEP", hash: "SHA-256" };
  const keys = [];
  for (const usage of ["decrypt", "unwrapKey"]) {
    keys.push(await crypto.subtle.importKey("pkcs8", der, algorithm, false, [usage]));
  }
  const jwk = await crypto.subtle.exportKey(
    "jwk",
    await crypto.subtle.importKey("pkcs8", der, algorithm, true, ["decrypt"]),
  );
  const publicJwk = { kty: jwk.kty, n: jwk.n, e: jwk.e };
  const publicKey = await crypto.subtle.importKey("jwk", publicJwk, algorithm, true, ["encrypt"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  const environment = (random) => ({
    subtle: crypto.subtle,
    random,
    splitter: undefined,
    webCryptoFrom: byWebCrypto ? 0 : Number.POSITIVE_INFINITY,
  });
  const seen = [];
  for (const vector of vectors.cases.filter(({ layout }) => LAYOUTS.includes(layout))) {
    seen.push(vector.layout);
    const [content, packet] = [bytesOf(vector.plaintext_b64url), bytesOf(vector.packet_b64url)];
    const [dek, seed] = [bytesOf(vector.dek_b64url), bytesOf(vector.oaep_seed_b64url)];
    const [nonce, aad] = [bytesOf(vector.nonce_b64url), bytesOf(vector.aad_b64url)];
    const none = environment(undefined);
    if (vector.layout === "auth-request") {
      const random = drawn(dek, seed, nonce, new Uint8Array(16).fill(7));
      const made = await kunji.sealAuthRequest(content, recipient, environment(random));
      check(made.request === vector.packet_b64url, "the request is another");
      check(made.requestSessionKey === vector.session_key_b64url, "the session key is another");
      for (const key of keys) check(isSame(await kunji.openAuthRequest(made, key, none), content), "it does not open");
    } else if (vector.layout === "pin") {
      const pin = new TextDecoder().decode(bytesOf(vector.pin_b64url));
      const options = { iterations: vector.name === "pin_10" ? 10 : undefined };
      const random = drawn(bytesOf(vector.salt_b64url), nonce);
      const made = await kunji.sealWithPin(content, pin, options, environment(random));
      check(isSame(made, packet), vector.name);
      check(isSame(await kunji.openWithPin(packet, pin, options, none), content), `${vector.name} does not open`);
    } else {
      const kind = { "machine-android": "android", "machine-tpm": "tpm" }[vector.layout] ?? "local";
      if (vector.layout !== "machine-old") {
        const random = drawn(dek, seed, nonce, aad);
        check(isSame(await kunji.sealForMachine(content, spki, { kind }, environment(random)), packet), vector.name);
      }
      if (kind === "android") continue;
      for (const key of keys) {
        check(isSame(await kunji.openForMachine(packet, key, { kind }, none), content), `${vector.name} does not open`);
      }
    }
  }
  check(isSame(seen.sort(), [...LAYOUTS, "pin"].sort()), `${seen}`);
}

export const bodies = { everyLayoutIsMadeAgainAndOpens };
