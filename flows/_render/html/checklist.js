// The checklist as a person reads it: section by section, each item with what answers for it, and how it went over the kept runs.
const itemRow = (item) => {
  const answer = item.checks.length
    ? item.checks.map(command).flatMap((node, index) => (index ? [", ", node] : [node]))
    : marked(item.where);
  return h("tr", null, h("td", null, badge(item.state)), h("td", null, item.title),
    h("td", { class: "mono" }, item.id), h("td", null, answer));
};

const itemTable = (items) => h("div", { class: "scroll" }, h("table", { class: "list items" },
  h("thead", null, h("tr", null, ["state", "what is asked for", "item", "what answers for it"].map((head) => h("th", { scope: "col" }, head)))),
  h("tbody", null, items.map(itemRow))));

const sectionGroup = (section, items) => {
  const counts = tally(items, (item) => item.state);
  const order = [...counts.keys()].sort((x, y) => STATUSES.indexOf(x) - STATUSES.indexOf(y));
  const bad = order.some((state) => ["drift", "failed", "missing", "unproven"].includes(state));
  return h("details", { class: "group", open: bad },
    h("summary", null, h("b", null, `${section} `), order.map((state) => badge(state, `${number(counts.get(state))} ${words(state)}`))), itemTable(items));
};

const trendTable = () => {
  const statuses = STATUSES.filter((status) => DATA.trend.some((run) => run[status]));
  const row = (run) => h("tr", null, h("td", { class: "mono" }, run.started.replace("T", " ").slice(0, 16)),
    statuses.map((status) => h("td", { class: "num" }, run[status] ? number(run[status]) : "")));
  return h("details", { class: "group" }, h("summary", null, h("b", null, "Over the kept runs "), h("span", { class: "muted" }, counted(DATA.trend.length, "run"))),
    h("div", { class: "scroll" }, h("table", { class: "list trend" },
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "run (UTC)"), statuses.map((status) => h("th", { scope: "col", class: "num" }, badge(status))))),
      h("tbody", null, [...DATA.trend].reverse().map(row)))));
};

const sincePanel = () => {
  if (!DATA.since || !(DATA.since.new.length + DATA.since.gone.length)) return null;
  const line = (word) => (text) => h("div", { class: "finding" }, h("div", null, badge(word, word === "ok" ? "gone" : "new")), h("p", null, marked(text)));
  return h("section", { class: "panel" },
    h("div", { class: "head" }, h("h2", null, "Since the last run"), h("span", { class: "muted" }, DATA.since.run)),
    DATA.since.new.map(line("drift")), DATA.since.gone.map(line("ok")));
};

// Each part of the coverage: how it is coloured, its count's key, and what the count is of.
const PARTS_OF_COVERAGE = [
  ["ok", "proven", "proven"], ["drift", "drift", "not as declared"], ["unproven", "unknown", "not known"], ["waived", "waived", "waived"],
  ["not_run", "rollout", "for the rollout"], ["not_run", "ticks", "for a person's tick"], ["not_run", "not_due", "not due yet"],
];

// How much is proven, as wide as the counts are, with the counts beneath.
const coverageBar = () => {
  const parts = PARTS_OF_COVERAGE.filter(([, key]) => DATA.coverage[key]);
  const bar = h("div", { class: "coverage", role: "img", "aria-label": DATA.coverage.text });
  for (const [word, key, text] of parts) {
    const part = h("span", { class: `v-${word}`, title: `${number(DATA.coverage[key])} ${text}` });
    part.style.flexGrow = DATA.coverage[key];
    bar.append(part);
  }
  return [bar, h("div", { class: "legend counts" }, parts.map(([word, key, text]) => badge(word, `${number(DATA.coverage[key])} ${text}`)))];
};

const checklistPanel = () => {
  if (!DATA.items.length) return null;
  const sections = new Map();
  for (const item of DATA.items) sections.set(item.section, [...(sections.get(item.section) ?? []), item]);
  return h("section", { class: "panel" },
    h("div", { class: "head" }, h("h2", null, "The checklist"), h("span", { class: "muted" }, `${number(DATA.coverage.proven)} of ${counted(DATA.coverage.total, "item")} proven`)),
    coverageBar(),
    [...sections].map(([section, items]) => sectionGroup(section, items)), DATA.trend.length > 1 ? trendTable() : "");
};
