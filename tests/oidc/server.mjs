// An OpenID Connect provider on this machine. It prints its issuer, then obeys one command a line on standard input and
// answers each with a line:
//   rotate   other keys, all of them
//   down     no answer to anyone, until
//   up
// It ends with its standard input.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

import Provider from "oidc-provider";

// Standard output is for answers.
console.info = console.error;

const clients = [
  { id: "service", roles: ["opens-packets", "reads-certificates"] },
  { id: "administrator", roles: ["administrator"] },
];
const kinds = [
  ["RS256", "rsa", { modulusLength: 2048 }],
  ["PS256", "rsa", { modulusLength: 2048 }],
  ["ES256", "ec", { namedCurve: "P-256" }],
  ["EdDSA", "ed25519", {}],
  // Weak, or not asked for.
  ["RS512", "rsa", { modulusLength: 2048 }],
];

const makeKeys = () =>
  kinds.map(([alg, type, options]) => {
    const key = generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
    return { ...key, alg, kid: randomUUID(), use: "sig" };
  });

// The resource says which algorithm, audience and life a token is to have: `https://kunji.test/RS256/kunji/60`.
const describe = (resource) => {
  const [alg, audience, seconds] = new URL(resource).pathname.slice(1).split("/");
  return { alg, audience, seconds: Number(seconds) };
};

const makeProvider = (issuer) =>
  new Provider(issuer, {
    jwks: { keys: makeKeys() },
    clients: clients.map(({ id }) => ({
      client_id: id,
      client_secret: `${id}-secret`,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    })),
    enabledJWA: { idTokenSigningAlgValues: kinds.map(([alg]) => alg) },
    extraTokenClaims: (_context, token) => ({
      preferred_username: token.clientId,
      realm_access: { roles: clients.find(({ id }) => id === token.clientId).roles },
    }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => {
          const { alg, audience, seconds } = describe(resource);
          return {
            accessTokenFormat: "jwt",
            accessTokenTTL: seconds,
            audience,
            jwt: { sign: { alg } },
            scope: "",
          };
        },
      },
    },
  }).callback();

let handle;
let up = true;
const server = createServer((request, response) => {
  if (up) {
    handle(request, response);
  } else {
    request.socket.destroy();
  }
});
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const commands = {
    rotate: () => {
      handle = makeProvider(issuer);
    },
    down: () => {
      up = false;
      server.closeIdleConnections();
    },
    up: () => {
      up = true;
    },
  };
  commands.rotate();
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    commands[line]();
    console.log(line);
  });
  lines.on("close", () => process.exit());
  console.log(issuer);
});
