import { type Explanation, explainAnyFailure } from "../shared/explanation.ts";
import { t } from "../shared/language.ts";
import { MalformedRegistration } from "../shared/registration.ts";
import { ServerFailure } from "../shared/server.ts";

/** What to tell a reviewer who could not sign in. */
export function explainSignIn(error: unknown, roles: readonly string[]): Explanation {
  if (error instanceof ServerFailure && (error.status === 400 || error.status === 401)) {
    return {
      title: "Client id or secret is wrong",
      action: "Check both: upper and lower case count, and nothing may stand before or after them.",
      code: error.code,
    };
  }
  return explainReview(error, roles);
}

/** What to tell a reviewer with these roles whose list or packet could not be shown. */
export function explainReview(error: unknown, roles: readonly string[]): Explanation {
  if (error instanceof MalformedRegistration) {
    return {
      title: "This packet holds no registration",
      action: "It opened, but another program made it, and its content is not what this form collects.",
      code: "registration.malformed",
    };
  }
  return error instanceof ServerFailure ? explainRefusal(error, roles) : explainAnyFailure(error);
}

/** What to tell a reviewer whose token is no longer good. */
export function explainEnd(code: string): Explanation {
  return { title: "Your session has ended", action: "Sign in again to go on.", code };
}

/** Whether the server no longer takes the token. */
export function isSignedOut(error: unknown): boolean {
  return error instanceof ServerFailure && error.status === 401;
}

/** Roles as they are told. */
export function rolesIn(roles: readonly string[]): string {
  return roles.length > 0 ? roles.join(", ") : t("none");
}

function explainRefusal(failure: ServerFailure, roles: readonly string[]): Explanation {
  const { code } = failure;
  switch (code) {
    case "packet.decryption_failed":
    case "packet.malformed":
      return {
        title: "This packet does not open",
        action:
          "It was altered or damaged after it was made, so nothing in it can be trusted. Ask for a new registration.",
        code,
      };
    case "packet.foreign_key":
    case "packet.unknown_key":
      return {
        title: "This packet was made for somebody else",
        action: "It was encrypted with the certificate of another office, or is damaged at its beginning.",
        code,
      };
    default:
      return explainStatus(failure, roles);
  }
}

function explainStatus(failure: ServerFailure, roles: readonly string[]): Explanation {
  const { code } = failure;
  switch (failure.status) {
    case 401:
      return explainEnd(code);
    case 403:
      return {
        title: "This client may not read packets",
        action: t(
          "Reading takes the role decryptor, and the roles of this client are: {roles}. Nothing was decrypted. Sign in with another client, or ask an administrator.",
          { roles: rolesIn(roles) },
        ),
        code,
      };
    case 404:
      return {
        title: "There is nothing to read here",
        action: "The packet was removed, or the server’s demo inbox is switched off. Refresh the list.",
        code,
      };
    default:
      return explainAnyFailure(failure);
  }
}
