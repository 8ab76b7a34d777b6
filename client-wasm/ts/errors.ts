import type { ErrorCode } from "#api";

export class KunjiError extends Error {
  override readonly name = "KunjiError";
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}
