// The server, as its clients other than the pages use it.
import assert from "node:assert/strict";
import { reviewer, serverUrl } from "./surroundings.mjs";

/** The content of a packet, as the server opens it. */
export async function open(packet) {
  const body = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: reviewer.id,
    client_secret: reviewer.secret,
  });
  const { access_token } = await (await fetch(`${serverUrl}/oauth2/token`, { method: "POST", body })).json();
  const headers = {
    Authorization: `Bearer ${access_token}`,
    "Content-Type": "application/octet-stream",
    "Kunji-Application": "REGISTRATION",
    "Kunji-Reference": "10001_110011",
  };
  const answer = await fetch(`${serverUrl}/v1/packets/decrypt`, { method: "POST", headers, body: packet });
  assert.equal(answer.status, 200);
  return await answer.json();
}

/** The certificates that a form would have built in. */
export async function anchors() {
  return (await (await fetch(`${serverUrl}/demo/settings.json`)).json()).anchors;
}
