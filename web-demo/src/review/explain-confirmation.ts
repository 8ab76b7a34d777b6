import { KunjiError } from "@kunji/client";
import { type Explanation, explainAnyFailure } from "../shared/explanation.ts";
import { t } from "../shared/language.ts";
import { ServerFailure } from "../shared/server.ts";
import type { Text } from "../shared/texts.ts";
import { NoConfirmation, OtherSigner } from "./confirmation.ts";
import { explainReview, rolesIn } from "./explain.ts";

/** Signing is refused by the access policies, or by the list of the application's own policy. */
const REFUSED = ["KER-ATH-403", "KER-JWS-108"];

/** What to tell a reviewer for whom the office does not sign. */
export function explainSigning(error: unknown, roles: readonly string[]): Explanation {
  if (!(error instanceof ServerFailure) || !REFUSED.includes(error.code)) return explainReview(error, roles);
  return {
    title: t("This client may not have anything signed"),
    action: t(
      "Signing takes the role signer, and the roles of this client are: {roles}. Nothing was signed. Sign in with another client, or ask an administrator.",
      { roles: rolesIn(roles) },
    ),
    code: error.code,
  };
}

/** What to tell somebody about a text that is no good confirmation. */
export function explainCheck(error: unknown): Explanation {
  if (error instanceof OtherSigner) {
    return say(
      "Somebody else has signed this",
      "The signature is good, but it is not that of the office. Do not take it for a confirmation.",
      "confirmation.other_signer",
    );
  }
  if (error instanceof NoConfirmation) {
    return say(
      "This is no confirmation",
      "The office has signed it, but it is about something else.",
      "confirmation.malformed",
    );
  }
  return error instanceof KunjiError ? explainSignature(error.code) : explainAnyFailure(error);
}

function explainSignature(code: string): Explanation {
  switch (code) {
    case "jws.signature":
      return say(
        "The signature is not good",
        "Something in it was changed after it was signed. Do not rely on it: ask for the original.",
        code,
      );
    case "jws.untrusted":
      return say(
        "The signer is not trusted",
        "It is signed, but the authority does not vouch for who did it, or no longer. Do not rely on it.",
        code,
      );
    case "jws.malformed":
    case "jws.algorithm":
    case "input.type":
      return say(
        "There is no signed confirmation here",
        "Paste all of it: three parts with a dot between each, as the office gave it.",
        code,
      );
    default:
      return { ...explainAnyFailure(undefined), code };
  }
}

function say(title: Text, action: Text, code: string): Explanation {
  return { title, action, code };
}
