// Opens and makes again the ciphertexts of an independent implementation. Runs wherever the package does.

/** Layouts of the vectors beside packets: see layouts.js. */
const NO_PACKETS = ["auth-request", "pin", "machine-local", "machine-android", "machine-tpm", "machine-old"];
const COVERED = ["A", "B", "C", "no-thumbprint", "registration-packet"];
/** An instant at which the certificates of the vectors are valid. */
const NOW = new Date("2027-01-01T00:00:00Z");
const RANDOM_BYTES = 108;
const WEB_CRYPTO_NONCE_BYTES = 12;

/** WebCrypto that counts how often it works on content. */
function counting(subtle) {
  const counts = { encrypt: 0, decrypt: 0 };
  const counted = new Proxy(subtle, {
    get(target, name) {
      const method = target[name].bind(target);
      return (...parameters) => {
        if (name in counts && parameters[0].name === "AES-GCM") counts[name] += 1;
        return method(...parameters);
      };
    },
  });
  return { counted, counts };
}

const bytesOf = (base64url) => {
  const text = atob((base64url ?? "").replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
};

const given = (base64url) => (base64url ? bytesOf(base64url) : undefined);
const isSame = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);

function check(holds, what) {
  if (!holds) throw new Error(what);
}

const coveredCases = (vectors) => vectors.cases.filter(({ layout }) => COVERED.includes(layout));

function layoutOf(vector) {
  const registration = vector.layout === "registration-packet";
  return registration
    ? { registration, salt: undefined, aad: undefined }
    : { registration, salt: given(vector.salt_b64url), aad: given(vector.aad_b64url) };
}

const splitterOf = (vector) => new TextEncoder().encode(vector.splitter);

async function privateKeys(vectors, usage) {
  const keys = {};
  for (const [name, { private_key_pkcs8_pem: pem }] of Object.entries(vectors.recipients)) {
    const der = bytesOf(pem.replaceAll(/-----.*?-----|\s/g, ""));
    keys[name] = await crypto.subtle.importKey("pkcs8", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, [usage]);
  }
  return keys;
}

/** Which cases there are, so that none is left out unseen. */
function theCasesAreThoseKnown(_, vectors) {
  const layouts = new Set(vectors.cases.map(({ layout }) => layout));
  check(isSame([...layouts].sort(), [...COVERED, ...NO_PACKETS].sort()), `layouts: ${[...layouts]}`);
  check(coveredCases(vectors).length === 42, `${coveredCases(vectors).length} cases`);
}

/** Every case, with a private key of this usage, its content by WebCrypto or by WebAssembly. */
async function everyCaseOpensAsExpected(kunji, vectors, { byWebCrypto, usage }) {
  const keys = await privateKeys(vectors, usage);
  const { counted, counts } = counting(crypto.subtle);
  let expectedCalls = 0;
  for (const vector of coveredCases(vectors)) {
    const environment = {
      subtle: counted,
      random: undefined,
      splitter: splitterOf(vector),
      webCryptoFrom: byWebCrypto ? 0 : Number.POSITIVE_INFINITY,
    };
    const opening = kunji.open(bytesOf(vector.packet_b64url), keys[vector.recipient], layoutOf(vector), environment);
    const outcome = await opening.catch((error) => error);
    if (vector.expect === "ok") {
      const isRight = outcome instanceof Uint8Array && isSame(outcome, bytesOf(vector.plaintext_b64url));
      check(isRight, `${vector.name}: ${outcome}`);
      const nonceBytes = bytesOf(vector.salt_b64url).length || WEB_CRYPTO_NONCE_BYTES;
      if (byWebCrypto && nonceBytes >= WEB_CRYPTO_NONCE_BYTES) expectedCalls += 1;
    } else {
      check(outcome instanceof kunji.KunjiError, `${vector.name}: ${outcome}`);
      const isOpaque = outcome.code === "packet.decryption_failed";
      // Whoever holds the key does not look it up: a packet that names another one just does not open.
      check(isOpaque === (vector.expect !== "format"), `${vector.name}: ${outcome.code}`);
      check(!isOpaque || outcome.cause === undefined, `${vector.name} tells a cause`);
    }
  }
  const isByWebCrypto = byWebCrypto ? counts.decrypt >= expectedCalls && expectedCalls > 20 : counts.decrypt === 0;
  check(isByWebCrypto, `${counts.decrypt} packets were opened by WebCrypto`);
}

/** Every good case, from the same random bytes. */
async function everyGoodCaseIsMadeAgain(kunji, vectors, { byWebCrypto }) {
  const { counted, counts } = counting(crypto.subtle);
  let expectedCalls = 0;
  const good = coveredCases(vectors).filter(({ expect }) => expect === "ok");
  check(good.length === 32, `${good.length} good cases`);
  for (const vector of good) {
    const { certificate_pem: pem } = vectors.recipients[vector.recipient];
    const recipient = await kunji.parseRecipient(pem, { anchors: [pem], now: NOW });
    check(recipient.thumbprint === vectors.recipients[vector.recipient].thumbprint_hex, vector.recipient);
    const layout = layoutOf(vector);
    const isWithoutThumbprint = vector.layout === "no-thumbprint";
    // B is what is written when only associated data are given, be they empty.
    if (isWithoutThumbprint || vector.layout === "B") layout.aad ??= new Uint8Array();
    const environment = {
      subtle: byWebCrypto ? counted : undefined,
      random: (bytes) => bytes.set(recordedRandomness(vector)),
      splitter: splitterOf(vector),
      webCryptoFrom: 0,
    };
    const made = await kunji.seal(bytesOf(vector.plaintext_b64url), recipient, layout, environment);
    // Nobody writes packets without a thumbprint any more: they are B without it.
    check(isSame(made.subarray(isWithoutThumbprint ? 32 : 0), bytesOf(vector.packet_b64url)), vector.name);
    if ((layout.salt?.length ?? WEB_CRYPTO_NONCE_BYTES) >= WEB_CRYPTO_NONCE_BYTES) expectedCalls += 1;
  }
  check(counts.encrypt === (byWebCrypto ? expectedCalls : 0), `${counts.encrypt} packets were made by WebCrypto`);
}

function recordedRandomness(vector) {
  const members = {
    A: ["aad_block_b64url"],
    B: ["nonce_b64url"],
    "no-thumbprint": ["nonce_b64url"],
    C: [],
    "registration-packet": ["salt_b64url", "aad_b64url"],
  }[vector.layout];
  const parts = ["dek_b64url", "oaep_seed_b64url", ...members].flatMap((name) => [...bytesOf(vector[name])]);
  check(parts.length <= RANDOM_BYTES, `${vector.name} used more random bytes than are drawn`);
  return parts;
}

/** Nothing of a small packet's content is left where its blocks passed through the stack. */
async function nothingIsLeftOnTheStack(kunji, vectors) {
  const { certificate_pem: pem } = vectors.recipients.rsa2048;
  const keys = await privateKeys(vectors, "decrypt");
  const recipient = await kunji.parseRecipient(pem, { anchors: [pem], now: NOW });
  const part = new TextEncoder().encode("SECRETPLAINTEXT");
  for (const length of [20, 500, 5000]) {
    const content = Uint8Array.from({ length }, (_, index) => part[index % part.length]);
    const packet = await kunji.encryptPacket(content, recipient);
    check(!includes(await kunji.memoryOf(), part.subarray(0, 8)), "content is left after sealing");
    check(isSame(await kunji.decryptPacket(packet, keys.rsa2048), content), "it does not open");
    check(!includes(await kunji.memoryOf(), part.subarray(0, 8)), "content is left after opening");
  }
}

/** Nothing of a packet's content or key is left in the memory of the module. */
async function nothingIsLeftInMemory(kunji, vectors) {
  const { certificate_pem: pem } = vectors.recipients.rsa2048;
  const recipient = await kunji.parseRecipient(pem, { anchors: [pem], now: NOW });
  const layout = { registration: false, salt: undefined, aad: undefined };
  const content = new TextEncoder().encode("name of a person ".repeat(300));
  const random = Uint8Array.from({ length: RANDOM_BYTES }, (_, index) => (index * 73 + 41) % 251);
  for (const subtle of [undefined, crypto.subtle]) {
    const environment = { subtle, random: (bytes) => bytes.set(random), splitter: undefined, webCryptoFrom: 0 };
    await kunji.seal(content, recipient, layout, environment);
    const memory = await kunji.memoryOf();
    check(!includes(memory, content.subarray(0, 64)), "content is left");
    check(!includes(memory, random.subarray(0, 16)), "the data key is left");
    check(!includes(memory, random.subarray(16, 32)), "half of the data key is left");
  }
}

function includes(memory, part) {
  for (let at = memory.indexOf(part[0]); at !== -1; at = memory.indexOf(part[0], at + 1)) {
    if (part.every((byte, index) => memory[at + index] === byte)) return true;
  }
  return false;
}

export const bodies = {
  theCasesAreThoseKnown,
  everyCaseOpensAsExpected,
  everyGoodCaseIsMadeAgain,
  nothingIsLeftInMemory,
  nothingIsLeftOnTheStack,
};
