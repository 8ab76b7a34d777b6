import { requestJson } from "./server.ts";

/** What the server's operator decided for the demo. */
export interface Settings {
  /** The application whose certificate packets are encrypted for. */
  readonly application: string;
  /** The reference within the application. */
  readonly reference: string;
  readonly certificateUrl: string;
  /** The certificates of the authorities to trust (PEM). */
  readonly anchors: readonly string[];
  /** Whether the server takes packets. */
  readonly inbox: boolean;
}

/** Reads the settings. A form in the field has them built in: see the README. */
export async function fetchSettings(): Promise<Settings> {
  return (await requestJson(`${import.meta.env.BASE_URL}settings.json`)) as Settings;
}
