const banner = () => {
  const { exit, good, flow, site, run, started } = DATA.about;
  const kind = DATA.partly ? "partly" : good ? "ok" : exit === 0 ? "not_run" : exit === 3 ? "unproven" : "violation";
  const title = DATA.headline[0] + DATA.headline.slice(1).toLowerCase();
  const when = new Date(started).toISOString().replace("T", " ").slice(0, 19);
  return h("header", { class: "panel banner" },
    h("div", { class: `sign v-${kind}`, "aria-hidden": "true" }, SIGNS[kind]),
    h("div", null, h("h1", null, title), h("p", null, DATA.short), DATA.plan ? h("p", { class: "plan" }, DATA.plan) : "",
      h("div", { class: "facts" }, [["flow", flow], ["site", site], ["started", `${when} UTC`], ["exit code", exit], ["run", run]].map(([name, value]) =>
        h("span", null, `${name} `, h("b", null, String(value)))))));
};

const tiles = () => {
  const verdicts = new Map();
  for (const story of STORIES) verdicts.set(story.verdict, (verdicts.get(story.verdict) ?? 0) + story.sources.length);
  const statuses = tally(DATA.outcomes, (outcome) => outcome.status);
  const tile = (value, text, word) => h("div", { class: "tile" }, h("b", null, word ? h("span", { class: `badge v-${word}` }, SIGNS[word]) : "", ` ${number(value)}`), h("span", null, text));
  const found = [DATA.hosts.length ? tile(DATA.hosts.length, DATA.hosts.length === 1 ? "host" : "hosts") : null];
  for (const word of VERDICTS) if (verdicts.get(word)) found.push(tile(verdicts.get(word), `cells ${words(word)}`, word));
  for (const word of STATUSES) if (statuses.get(word)) found.push(tile(statuses.get(word), `outcomes ${words(word)}`, word));
  if (DATA.packets.probes) found.push(tile(DATA.packets.probes, `probes, ${number(DATA.packets.loss ?? 0)} lost on the way`));
  return h("section", { class: "tiles", "aria-label": "counts" }, found);
};

const matrixPanel = () => (!STORIES.length ? null : h("section", { class: "panel" },
  h("div", { class: "head" }, h("h2", null, "Who reaches whom"), filters()), roleMatrix(), legend()));

const PARTS = { header: banner, tiles, findings: findingsPanel, components: componentsPanel, perimeter: perimeterPanel, outcomes: outcomesPanel, since: sincePanel, checklist: checklistPanel };

const draw = (focus) => {
  const again = ["matrix", "drill", "pair"];
  const make = { matrix: matrixPanel, drill, pair: pairPanel };
  for (const part of again) document.getElementById(`part-${part}`).replaceChildren(...[make[part]()].filter(Boolean));
  if (focus) [...document.querySelectorAll("[data-key]")].find((node) => node.dataset.key === focus)?.focus();
};

const start = () => {
  const page = document.getElementById("page");
  readState();
  const part = (name) => h("div", { id: `part-${name}` }, PARTS[name]?.() ?? "");
  page.append(...["header", "tiles", "since", "components", "findings", "checklist", "matrix", "drill", "pair", "perimeter", "outcomes"].map(part));
  draw();
  addEventListener("hashchange", () => {
    const before = { ...STATE };
    const focus = document.activeElement?.dataset?.key;
    readState();
    draw(focus);
    const opened = STATE.b && (STATE.a !== before.a || STATE.b !== before.b) ? "part-pair" : STATE.from && (STATE.from !== before.from || STATE.to !== before.to) ? "part-drill" : "";
    if (opened) document.getElementById(opened).scrollIntoView({ block: "nearest" });
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (STATE.b) go({ a: "", b: "" });
    else if (STATE.from) go({ from: "", to: "" });
  });
};

start();
