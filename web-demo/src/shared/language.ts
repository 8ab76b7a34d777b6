// The page's language, set before anything is shown. Texts stand in the sources in English; here they find their others.

import { TEXTS, type Text } from "./texts.ts";

const LANGUAGES = { en: "en-GB", fr: "fr", ar: "ar-MA" } as const;

type Language = keyof typeof LANGUAGES;

const STORED = "kunji-demo-language";

const root = document.documentElement;
const language = chosen();

root.lang = LANGUAGES[language];
root.dir = language === "ar" ? "rtl" : "ltr";
if (language !== "en") translatePage();
for (const link of document.querySelectorAll<HTMLAnchorElement>("a[hreflang]")) {
  if (link.hreflang === language) link.setAttribute("aria-current", "true");
}

/** A text in the page's language, with `{name}`s replaced by values. */
export function t(text: Text, values: Readonly<Record<string, string | number>> = {}): string {
  return translated(text).replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** As {@link t}, for a text that comes from where not every text is known. */
export function translated(text: string): string {
  const found = Object.hasOwn(TEXTS, text) ? TEXTS[text as Text] : undefined;
  if (language === "en" || found === undefined) return text;
  return found[language];
}

/** The one in the address, or the one chosen last. */
function chosen(): Language {
  const given = new URLSearchParams(location.search).get("lang");
  try {
    if (isLanguage(given)) localStorage.setItem(STORED, given);
    const stored = given ?? localStorage.getItem(STORED);
    return isLanguage(stored) ? stored : "en";
  } catch {
    // A browser that stores nothing.
    return isLanguage(given) ? given : "en";
  }
}

function isLanguage(value: string | null): value is Language {
  return value !== null && Object.hasOwn(LANGUAGES, value);
}

/** Replaces what the page's HTML says. */
function translatePage(): void {
  document.title = translated(document.title);
  const templates = [...document.querySelectorAll("template")].map(({ content }) => content);
  for (const part of [document.body, ...templates]) translateTexts(part);
  for (const element of document.querySelectorAll("[aria-label]")) {
    element.setAttribute("aria-label", translated(element.getAttribute("aria-label") ?? ""));
  }
}

function translateTexts(part: Node): void {
  const nodes = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
  for (let node = nodes.nextNode(); node !== null; node = nodes.nextNode()) {
    const text = node.nodeValue ?? "";
    const known = text.trim();
    if (known !== "") node.nodeValue = text.replace(known, () => translated(known));
  }
}
