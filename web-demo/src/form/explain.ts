import { KunjiError } from "@kunji/client";
import { type Explanation, explainAnyFailure } from "../shared/explanation.ts";
import { formatMoment } from "../shared/format.ts";
import { t } from "../shared/language.ts";
import { ServerFailure } from "../shared/server.ts";
import { INVALID_RECEIPT } from "./send.ts";

/** What to tell the person whose registration could not be sent. */
export function explain(error: unknown): Explanation {
  if (error instanceof KunjiError) return explainClientError(error.code);
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return explainAnyFailure(ServerFailure.unreachable(error));
  }
  if (error instanceof ServerFailure) return explainRefusal(error);
  return explainAnyFailure(error);
}

function explainRefusal(failure: ServerFailure): Explanation {
  const { code } = failure;
  if (code === INVALID_RECEIPT) {
    return {
      title: "The server’s receipt makes no sense",
      action:
        "The packet was sent, and the office may have stored it. Your entries are still here: ask the office whether it has them before you try again.",
      code,
    };
  }
  switch (failure.status) {
    case 404:
      return {
        title: "The office is not taking packets now",
        action: "The inbox was switched off. Try again: the form then lets you save the packet instead.",
        code,
      };
    case 413:
      return { title: "The packet is too large", action: "Choose a smaller photo, then try again.", code };
    case 507:
      return {
        title: "The inbox is full",
        action: "The office has to make room before it can take another packet. Try again later, or tell the office.",
        code,
      };
    default:
      return explainAnyFailure(failure);
  }
}

function explainClientError(code: string): Explanation {
  switch (code) {
    case "network.unreachable":
    case "runtime.load":
      return { ...explainAnyFailure(ServerFailure.unreachable()), code };
    case "network.refused":
    case "network.response":
      return {
        title: "The office’s certificate is not available",
        action:
          "The server gave no certificate that packets can be encrypted for. Try again later, or tell the office.",
        code,
      };
    case "recipient.clock":
      return {
        title: "The date or time of this device is wrong",
        action: t(
          "It says {moment}. Correct it in the device’s settings, or let the device set it by itself, then try again.",
          { moment: formatMoment(new Date()) },
        ),
        code,
      };
    case "recipient.not_yet_valid":
      return {
        title: "The office’s certificate is not valid yet",
        action: "Check the date of this device. If it is right, try again later, or tell the office.",
        code,
      };
    case "recipient.expired":
    case "recipient.issuer_expired":
      return {
        title: "The office’s certificate has expired",
        action: "Nothing was sent. The office has to renew its certificate: tell the office, and try again later.",
        code,
      };
    case "recipient.untrusted":
    case "recipient.signature":
    case "recipient.issuer_not_authority":
    case "recipient.path_length":
      return {
        title: "The office could not be recognised",
        action:
          "The certificate does not come from the authority that this form trusts, so nothing was sent. Somebody may be interfering with the connection: try again on a network that you trust. If this message stays, tell the office.",
        code,
      };
    case "queue.full":
    case "queue.quota":
    case "queue.unavailable":
      return {
        title: "This device cannot keep the registration",
        action:
          "It is offline, and this browser has no room, or keeps nothing in private windows. Try again when the device is online.",
        code,
      };
    case "runtime.unsupported":
      return {
        title: "This browser cannot encrypt",
        action: "Use a current version of Firefox, Chrome, Edge or Safari.",
        code,
      };
    default:
      return {
        title: "The packet could not be encrypted",
        action: "Nothing was sent. Tell the office the code below.",
        code,
      };
  }
}
