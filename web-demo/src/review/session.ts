import { decodeBase64, encodeBase64 } from "../shared/base64.ts";
import { requestBytes, requestJson, ServerFailure } from "../shared/server.ts";
import { fetchSettings, type Settings } from "../shared/settings.ts";

/** A packet in the inbox. */
export interface PacketEntry {
  readonly id: string;
  /** RFC 3339. */
  readonly received: string;
  readonly bytes: number;
}

/** A packet that the server has decrypted. */
export interface Opened {
  readonly content: Uint8Array<ArrayBuffer>;
  /** Of the packet as it lay in the inbox, in lower-case hexadecimal. */
  readonly sha256: string;
}

const INBOX = `${import.meta.env.BASE_URL}inbox`;

interface SigningAnswer {
  readonly response: { readonly jwtSignedData: string } | null;
  readonly errors: readonly { readonly errorCode: string }[] | null;
}

/** A signed-in reviewer. The token is in this object and nowhere else. */
export class Session {
  readonly clientId: string;
  /** What the token says that the client may do. */
  readonly roles: readonly string[];
  /** When the server stops taking the token, in milliseconds from signing in. */
  readonly lifetime: number;
  readonly #settings: Settings;
  readonly #end = new AbortController();
  #token: string;

  private constructor(clientId: string, token: string, lifetime: number, settings: Settings) {
    this.clientId = clientId;
    this.lifetime = lifetime;
    this.roles = rolesOf(token);
    this.#token = token;
    this.#settings = settings;
  }

  /** Takes a token for the client (RFC 6749 4.4). */
  static async signIn(clientId: string, secret: string): Promise<Session> {
    const settings = await fetchSettings();
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: secret,
    });
    const answer = await requestJson("/oauth2/token", { method: "POST", body });
    const { access_token, expires_in } = answer as { access_token: string; expires_in: number };
    return new Session(clientId, access_token, expires_in * 1000, settings);
  }

  /** Whether the reviewer has left; what is still on its way then comes to nothing. */
  get ended(): boolean {
    return this.#end.signal.aborted;
  }

  /** Forgets the token and stops what is on its way. */
  end(): void {
    this.#token = "";
    this.#end.abort();
  }

  /** The packets in the inbox, newest first. */
  async listPackets(): Promise<readonly PacketEntry[]> {
    const answer = await requestJson(INBOX, this.#authorized());
    return (answer as { packets: PacketEntry[] }).packets;
  }

  /** Fetches the packet and has the server decrypt it. */
  async openPacket(id: string): Promise<Opened> {
    const packet = await requestBytes(`${INBOX}/${encodeURIComponent(id)}`, this.#authorized());
    const { application, reference } = this.#settings;
    const headers = {
      "Content-Type": "application/octet-stream",
      "Kunji-Application": application,
      "Kunji-Reference": reference,
    };
    const init = this.#authorized(headers);
    const content = await requestBytes("/v1/packets/decrypt", { ...init, method: "POST", body: packet });
    return { content, sha256: await digest(packet) };
  }

  /** Has the office sign these bytes, and returns the signature with all its certificates (RFC 7515, compact). */
  async sign(content: Uint8Array<ArrayBuffer>): Promise<string> {
    const request = {
      applicationId: this.#settings.application,
      referenceId: "",
      dataToSign: encodeBase64(content),
      includePayload: true,
      includeCertificateChain: true,
    };
    const init = this.#authorized({ "Content-Type": "application/json" });
    const body = JSON.stringify({ request });
    const answer = await requestJson("/v1/keymanager/jwtSign/v2", { ...init, method: "POST", body });
    const { response, errors } = answer as SigningAnswer;
    if (response) return response.jwtSignedData;
    throw new ServerFailure(200, errors?.[0]?.errorCode ?? "signature.missing");
  }

  #authorized(headers: Record<string, string> = {}): RequestInit {
    return { headers: { ...headers, Authorization: `Bearer ${this.#token}` }, signal: this.#end.signal };
  }
}

/** For being shown only: what a client may do is decided by the server, each time. */
function rolesOf(token: string): readonly string[] {
  try {
    const [, claims = ""] = token.split(".");
    const base64 = claims.replaceAll("-", "+").replaceAll("_", "/");
    const { realm_access } = JSON.parse(new TextDecoder().decode(decodeBase64(base64)));
    return realm_access.roles.map(String);
  } catch {
    return [];
  }
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
