import { ServerFailure } from "../shared/server.ts";

/** Longest time without a sign of progress. */
const STALL_MILLISECONDS = 30_000;

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
      if (request.status === 201) resolve(JSON.parse(request.responseText) as Receipt);
      else reject(request.status === 0 ? ServerFailure.unreachable() : refusal(request));
    });
    request.open("POST", `${import.meta.env.BASE_URL}inbox`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(new Blob([packet]));
  });
}

function refusal({ status, responseText }: XMLHttpRequest): ServerFailure {
  return ServerFailure.fromAnswer(status, responseText);
}
