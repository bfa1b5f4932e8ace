const STATUSES = ["drift", "failed", "missing", "unproven", "changed", "waived", "not_run", "ok"];

const findingRow = (finding) => {
  const [from, to] = finding.at ?? [];
  const see = () => go({ from: rolesOf(from)[0], to: rolesOf(to)[0], a: from, b: to });
  const whom = finding.hosts.length ? h("b", null, `${finding.hosts.join(", ")}: `) : "";
  return h("div", { class: "finding" },
    h("div", null, badge(finding.level)),
    h("div", null, h("p", null, whom, marked(finding.title)), finding.next ? h("p", { class: "next" }, marked(finding.next)) : "",
      finding.detail.length ? h("details", { open: finding.detail.length < 12 }, h("summary", null, "the difference"), diffed(finding.detail)) : ""),
    finding.at ? h("button", { class: "plain", onclick: see }, "evidence") : "");
};

const findingsPanel = () => {
  const quiet = new Set(["waived", "not_run"]);
  const loud = DATA.findings.filter((finding) => !quiet.has(finding.level));
  const aside = DATA.findings.filter((finding) => quiet.has(finding.level));
  return h("section", { class: "panel" },
    h("div", { class: "head" }, h("h2", null, "Findings"), h("span", { class: "muted" }, loud.length ? `${loud.length}, worst first` : "")),
    loud.length ? loud.map(findingRow) : h("p", null, DATA.about.good ? "Nothing wrong found." : "No finding, and yet not good: nothing was found ok."),
    aside.length ? h("details", { class: "group" }, h("summary", null, `${counted(aside.length, "thing")} waived or not run`), aside.map(findingRow)) : "");
};

// Evidence is JSON in one line, or text of a host.
const evident = (text) => {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
};

const outcomeRow = (outcome) => h("tr", null,
  h("td", null, badge(outcome.status)),
  h("td", { class: "mono" }, outcome.subject),
  h("td", null, marked(outcome.message), outcome.next ? h("p", { class: "next" }, marked(outcome.next)) : "",
    outcome.diff.length ? diffed(outcome.diff) : "",
    outcome.evidence ? h("details", null, h("summary", null, "evidence"), h("pre", { class: "text wrapped" }, evident(outcome.evidence).split("\n").map((line) => h("span", null, line)))) : ""),
  h("td", { class: "num" }, outcome.seconds ? `${outcome.seconds.toFixed(1)} s` : ""));

const outcomeTable = (outcomes) => h("table", { class: "list outcomes" },
  h("thead", null, h("tr", null, ["status", "subject", "what was found", "time"].map((head) => h("th", { scope: "col" }, head)))),
  h("tbody", null, outcomes.map(outcomeRow)));

const hostGroup = (host, outcomes) => {
  const counts = tally(outcomes, (outcome) => outcome.status);
  const order = [...counts.keys()].sort((x, y) => STATUSES.indexOf(x) - STATUSES.indexOf(y));
  const body = h("div");
  const group = h("details", { class: "group" },
    h("summary", null, h("b", null, `${host} `), h("span", { class: "muted" }, DATA.roles[host] ? `${rolesOf(host).map(words).join(", ")} ` : ""),
      order.map((status) => badge(status, `${number(counts.get(status))} ${words(status)}`))), body);
  // A hundred hosts with their diffs are drawn when somebody opens them.
  group.addEventListener("toggle", () => { if (group.open && !body.firstChild) body.append(outcomeTable(outcomes)); });
  return group;
};

const outcomesPanel = () => {
  const byHost = new Map(DATA.hosts.map((host) => [host, []]));
  for (const outcome of DATA.outcomes) byHost.set(outcome.host, [...(byHost.get(outcome.host) ?? []), outcome]);
  const rank = (outcomes) => Math.min(...outcomes.map((outcome) => STATUSES.indexOf(outcome.status)), STATUSES.length);
  const fine = (outcomes) => outcomes.length && outcomes.every((outcome) => ["ok", "waived", "not_run"].includes(outcome.status));
  const groups = [...byHost].sort((x, y) => rank(x[1]) - rank(y[1]));
  const telling = groups.filter(([, outcomes]) => !fine(outcomes));
  const silent = groups.filter(([, outcomes]) => fine(outcomes));
  const shown = silent.map(([host, outcomes]) => hostGroup(host, outcomes));
  return h("section", { class: "panel" },
    h("div", { class: "head" }, h("h2", null, "Outcomes by host"), h("span", { class: "muted" }, counted(DATA.outcomes.length, "outcome"))),
    telling.map(([host, outcomes]) => hostGroup(host, outcomes)),
    silent.length ? h("details", { class: "group", open: !telling.length && silent.length < 30 },
      h("summary", null, badge("ok", `${counted(silent.length, "host")} with nothing to do`)), shown) : "");
};

const perimeterPanel = () => {
  if (!DATA.perimeter.length) return null;
  const said = (value) => (value === true ? "open" : value === false ? "closed" : value ?? "not observed");
  const row = (entry) => {
    const other = (value) => (value !== null && value !== undefined && said(value) !== said(entry.declared) ? "differs" : "");
    const bad = other(entry.configured) || other(entry.witnessed);
    return h("tr", null, h("td", null, badge(bad ? "violation" : "ok", bad ? "differs" : "agree")), h("td", { class: "mono" }, entry.row),
      h("td", { class: "mono" }, entry.address), h("td", { class: "keep mono" }, `${entry.port}/${entry.protocol}`), h("td", null, said(entry.declared)),
      h("td", { class: other(entry.configured) }, said(entry.configured)), h("td", { class: other(entry.witnessed) }, said(entry.witnessed)));
  };
  const heads = ["", "row of ports.yaml", "external address", "port", "declared", "configured on the device", "witnessed by packets"];
  return h("section", { class: "panel" },
    h("div", { class: "head" }, h("h2", null, "Perimeter"), h("span", { class: "muted" }, "what the site declares, what the device's rules say, what packets showed")),
    h("div", { class: "scroll" }, h("table", { class: "list" }, h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", null, DATA.perimeter.map(row)))));
};
