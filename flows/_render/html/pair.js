const POINTS = ["S", "A", "P", "R"];
const MEANINGS = ["left the source", "arrived at the destination", "passed its firewall", "reply"];

const points = (story) => {
  if (story.evidence === null) return h("span", { class: "muted" }, story.verdict === "not_run" ? "not run" : "by the rules");
  return h("span", { class: "points" }, story.evidence.map((value, index) => {
    const full = index === 3 ? value !== "none" : value >= story.probed;
    const kind = value === null ? "unknown" : full && value ? "seen" : value && value !== "none" ? "partly" : "";
    return h("span", { class: kind, title: MEANINGS[index] }, `${POINTS[index]} ${value ?? "·"}`);
  }));
};

const stretch = (story) => (story.low === story.high ? `${story.low}` : `${story.low}–${story.high}`);

const cellRows = (story, from, to) => {
  const bad = story.verdict !== "ok";
  const differs = story.seen !== story.expected ? "differs" : "";
  const told = h("tr", { class: "told" }, h("td", { colspan: "9" },
    bad && story.note && story.verdict !== "not_run" ? sentence(story.note) : "", explained(story, from, to)));
  told.hidden = !bad;
  const main = h("tr", { class: bad ? "open" : "" },
    h("td", { class: "keep mono" }, `${stretch(story)}/${story.protocol}`),
    h("td", { class: "mono" }, story.address),
    h("td", null, story.plane),
    h("td", null, story.expected),
    h("td", { class: differs }, story.seen),
    h("td", null, badge(story.verdict)),
    h("td", null, story.culprit),
    h("td", { class: "mono" }, story.rows.map((row) => WORD[row]).join(", ")),
    h("td", null, h("button", { class: "link", "aria-expanded": String(bad), title: "what this means", onclick: (event) => {
      told.hidden = !told.hidden;
      main.className = told.hidden ? "" : "open";
      event.currentTarget.setAttribute("aria-expanded", String(!told.hidden));
    } }, points(story))));
  return [main, told];
};

const ROWS_AT_ONCE = 300;
const HEADS = ["ports", "address", "plane", "expected", "seen", "verdict", "culprit", "rows of ports.yaml", "evidence"];

const cellTable = (from, to) => {
  const found = cellsOf(from, to);
  if (!found.length) return h("p", { class: "muted" }, "No cells with these filters.");
  const body = h("tbody");
  const more = h("button", { class: "plain" });
  let shown = 0;
  const extend = () => {
    body.append(...found.slice(shown, shown + ROWS_AT_ONCE).flatMap((story) => cellRows(story, from, to)));
    shown = Math.min(found.length, shown + ROWS_AT_ONCE);
    more.textContent = `${number(found.length - shown)} more`;
    more.hidden = shown === found.length;
  };
  more.addEventListener("click", extend);
  extend();
  return h("div", { class: "scroll" },
    h("table", { class: "list cells" }, h("thead", null, h("tr", null, HEADS.map((head) => h("th", { scope: "col" }, head)))), body), more);
};

const drill = () => {
  if (!STATE.from || !STATE.to) return null;
  const crumbs = h("div", { class: "crumbs", id: "drill", tabindex: "-1" },
    h("button", { class: "link", onclick: () => go({ from: "", to: "", a: "", b: "" }) }, "all roles"), "›",
    h("h3", null, `${words(STATE.from)} → ${words(STATE.to)}`));
  return h("div", { class: "panel" }, h("div", { class: "head" }, crumbs), hostMatrix());
};

const pairPanel = () => {
  if (!STATE.a || !STATE.b) return null;
  const roles = (host) => h("span", { class: "muted" }, `(${rolesOf(host).map(words).join(", ")})`);
  return h("div", { class: "panel", id: "pair" },
    h("div", { class: "head" }, h("h3", null, `${STATE.a} `, roles(STATE.a), ` → ${STATE.b} `, roles(STATE.b)),
      h("button", { class: "plain", onclick: () => go({ a: "", b: "" }) }, "close")),
    cellTable(STATE.a, STATE.b));
};
