// The reference of the API, made from the types: what an editor shows, on one page.

const DECLARATION =
  /(?:^\/\*\*\n?((?:(?!\*\/)[\s\S])*?)\*\/\n)?^export (?:declare )?(?:function|class|interface|type) (\w+)[\s\S]*?(?=\n\n(?=\S)|\n*(?![\s\S]))/gm;

/** @param entries - `{ from, types }`: what is imported from, and the text of its types. */
export function referenceOf(entries) {
  const parts = entries.map(({ from, types }) => `## \`${from}\`\n\n${introductionOf(types)}${namesOf(types)}`);
  const top =
    "Made from the types in the package, which say the same in an editor. The README says how it all is used.";
  return `# API reference of @kunji/client\n\n${top}\n\n${parts.join("\n")}`;
}

/** What the file says of itself: a comment that is followed by no declaration. */
function introductionOf(types) {
  const [, comment] = /^\/\*\*\n?((?:(?!\*\/)[\s\S])*)\*\/\n\n/.exec(types) ?? [];
  return comment === undefined ? "" : `${proseOf(comment)}\n\n`;
}

function namesOf(types) {
  const names = new Map();
  for (const [whole, comment, name] of types.matchAll(DECLARATION)) {
    const code = comment === undefined ? whole : whole.slice(whole.indexOf("*/\n") + 3);
    const said = comment === undefined ? "" : `${proseOf(comment)}\n\n`;
    // Forms of one function stand together.
    names.set(name, `${names.get(name) ?? `### ${name}\n\n`}${said}\`\`\`ts\n${code.trim()}\n\`\`\`\n\n`);
  }
  return [...names.values()].join("");
}

function proseOf(comment) {
  return comment
    .replaceAll(/^ ?\* ?/gm, "")
    .replaceAll(/\{@link (\w+)\}/g, "`$1`")
    .replaceAll(/^@param (\w+) - /gm, "- `$1`: ")
    .trim();
}
