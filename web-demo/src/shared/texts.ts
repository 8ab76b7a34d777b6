import { CAMERA } from "./texts/camera.ts";
import { COMMON } from "./texts/common.ts";
import { CONFIRMATION } from "./texts/confirmation.ts";
import { FORM } from "./texts/form.ts";
import { REVIEW } from "./texts/review.ts";

/** What the pages say, in English, and what that is in French and Arabic. */
export const TEXTS = { ...COMMON, ...FORM, ...CAMERA, ...REVIEW, ...CONFIRMATION };

export type Text = keyof typeof TEXTS;
