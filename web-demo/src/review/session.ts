import { requestBytes, requestJson } from "../shared/server.ts";
import { fetchSettings, type Settings } from "../shared/settings.ts";

/** A packet in the inbox. */
export interface PacketEntry {
  readonly id: string;
  /** RFC 3339. */
  readonly received: string;
  readonly bytes: number;
}

const INBOX = `${import.meta.env.BASE_URL}inbox`;

/** A signed-in reviewer. The token is in this object and nowhere else. */
export class Session {
  readonly clientId: string;
  /** When the server stops taking the token, in milliseconds from signing in. */
  readonly lifetime: number;
  readonly #settings: Settings;
  readonly #end = new AbortController();
  #token: string;

  private constructor(clientId: string, token: string, lifetime: number, settings: Settings) {
    this.clientId = clientId;
    this.lifetime = lifetime;
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
  async openPacket(id: string): Promise<Uint8Array<ArrayBuffer>> {
    const packet = await requestBytes(`${INBOX}/${encodeURIComponent(id)}`, this.#authorized());
    const { application, reference } = this.#settings;
    const headers = {
      "Content-Type": "application/octet-stream",
      "Kunji-Application": application,
      "Kunji-Reference": reference,
    };
    const init = this.#authorized(headers);
    return requestBytes("/v1/packets/decrypt", { ...init, method: "POST", body: packet });
  }

  #authorized(headers: Record<string, string> = {}): RequestInit {
    return { headers: { ...headers, Authorization: `Bearer ${this.#token}` }, signal: this.#end.signal };
  }
}
