/** Texts in English, and what each is in French and Arabic. */
export type Texts = Record<string, { readonly fr: string; readonly ar: string }>;
