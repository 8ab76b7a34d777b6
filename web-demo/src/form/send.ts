import { ServerFailure } from "../shared/server.ts";

/** Longest time without a sign of progress. */
const STALL_MILLISECONDS = 30_000;

/** The code of a failure: the server took the packet, and then answered with what is no receipt for it. */
export const INVALID_RECEIPT = "receipt.invalid";

/** RFC 9562 section 4. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** RFC 3339 section 5.6. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** The server has the packet, durably. */
export interface Receipt {
  readonly id: string;
  /** RFC 3339. */
  readonly received: string;
  readonly bytes: number;
}

/**
 * Sends the packet to the demo's inbox. `onProgress` is told the share that has left, from 0 to 1: `fetch` cannot
 * tell that, `XMLHttpRequest` can.
 */
export function sendPacket(packet: Uint8Array<ArrayBuffer>, onProgress: (share: number) => void): Promise<Receipt> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const giveUp = () => request.abort();
    let stalled = window.setTimeout(giveUp, STALL_MILLISECONDS);
    request.upload.addEventListener("progress", ({ loaded }) => {
      window.clearTimeout(stalled);
      stalled = window.setTimeout(giveUp, STALL_MILLISECONDS);
      onProgress(Math.min(1, loaded / packet.length));
    });
    request.addEventListener("loadend", () => {
      window.clearTimeout(stalled);
      const receipt = request.status === 201 ? readReceipt(request.responseText, packet.length) : undefined;
      if (receipt === undefined) reject(toFailure(request));
      else resolve(receipt);
    });
    request.open("POST", `${import.meta.env.BASE_URL}inbox`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(new Blob([packet]));
  });
}

/** The receipt of a packet of so many bytes; undefined if the text is none. */
function readReceipt(text: string, packetBytes: number): Receipt | undefined {
  try {
    const { id, received, bytes } = JSON.parse(text) as Record<string, unknown>;
    if (typeof id !== "string" || !UUID.test(id) || bytes !== packetBytes) return undefined;
    if (typeof received !== "string" || !TIME.test(received) || Number.isNaN(Date.parse(received))) return undefined;
    return { id, received, bytes };
  } catch {
    return undefined;
  }
}

function toFailure({ status, responseText }: XMLHttpRequest): ServerFailure {
  if (status === 0) return ServerFailure.unreachable();
  return status === 201 ? new ServerFailure(status, INVALID_RECEIPT) : ServerFailure.fromAnswer(status, responseText);
}
