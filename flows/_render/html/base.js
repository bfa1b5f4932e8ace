// Text from hosts only ever becomes text nodes and attribute values of fixed names: never markup.
const DATA = JSON.parse(document.getElementById("data").textContent);

const h = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "onclick" || name === "onchange" || name === "onkeydown") node.addEventListener(name.slice(2), value);
    else if (name === "open" || name === "checked") node[name] = value;
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
};

const number = (value) => Number(value).toLocaleString("en-US");
const counted = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
const words = (text) => String(text).replaceAll("_", " ");

const SIGNS = {
  ok: "✓", violation: "✕", unproven: "?", waived: "w", not_run: "–", none: "",
  partly: "…", drift: "≠", error: "!", failed: "✕", missing: "∅", warning: "!", changed: "↻",
};
const badge = (word, text) => h("span", { class: `badge v-${word}` }, `${SIGNS[word] ?? ""} ${words(text ?? word)}`);

// What stands between backticks is a command or a name; it breaks between its words, never within a flag.
const command = (text) => h("code", null, text.split(" ").flatMap((word, index) => [index ? " " : "", h("span", { class: "word" }, word)]));
const marked = (text) => String(text).split("`").map((part, index) => (index % 2 ? command(part) : part));
const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? " " : ". ");

const diffed = (lines) =>
  h("pre", { class: "text", tabindex: "0" }, lines.map((line) => {
    const kind = /^(\+\+\+|---|@@)/.test(line) ? "place" : line[0] === "+" ? "plus" : line[0] === "-" ? "minus" : "";
    return h("span", { class: kind }, line);
  }));

const tally = (items, word) => {
  const counts = new Map();
  for (const item of items) counts.set(word(item), (counts.get(word(item)) ?? 0) + 1);
  return counts;
};

// What is shown lives in the address after #, so that the browser's back button and a copied link work.
const STATE = { from: "", to: "", a: "", b: "", plane: "", protocol: "", family: "", bad: "" };

const readState = () => {
  const said = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(STATE)) STATE[key] = said.get(key) ?? "";
};

const go = (changes) => {
  const next = new URLSearchParams(Object.entries({ ...STATE, ...changes }).filter(([, value]) => value));
  location.hash = next.toString();
};
