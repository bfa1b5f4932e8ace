const arrows = (event) => {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  const cell = event.target.closest("td");
  if (!step || !cell) return;
  event.preventDefault();
  const body = cell.parentNode.parentNode;
  let row = cell.parentNode.sectionRowIndex;
  let column = cell.cellIndex;
  for (;;) {
    row += step[0];
    column += step[1];
    const next = body.rows[row]?.cells[column];
    if (!next || next.tagName !== "TD") return;
    const button = next.querySelector("button");
    if (button) return button.focus();
  }
};

const grid = ({ kind, names, others = names, tallied, face, pressed, choose }) => {
  const rows = names.filter((name) => tallied.rows.has(name));
  const columns = others.filter((name) => tallied.columns.has(name));
  if (!rows.length) return h("p", { class: "muted" }, "No cells with these filters.");
  return h("div", { class: "scroll" },
    h("table", { class: `matrix ${kind}`, onkeydown: arrows },
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "from ↓  to →"), columns.map((name) => h("th", { scope: "col" }, words(name))))),
      h("tbody", null, rows.map((row) =>
        h("tr", null, h("th", { scope: "row" }, words(row)), columns.map((column) => {
          const tally = tallied.at(row, column);
          if (!tally) return h("td", null, h("div", { class: "void", title: "no cells" }));
          const told = `${words(row)} to ${words(column)}: ${tally}`;
          return h("td", null, h("button", {
            class: `v-${tally.worst}`, title: told, "aria-label": told, "data-key": `${kind} ${row} ${column}`,
            "aria-pressed": String(pressed(row, column)), onclick: () => choose(row, column),
          }, face(tally)));
        }))))));
};

const roleMatrix = () => {
  const names = [...ROLES.keys()];
  return grid({
    kind: "roles", names, tallied: tallies(rolesOf, rolesOf),
    face: (tally) => [h("b", null, SIGNS[tally.worst]), h("span", null, number(tally.count))],
    pressed: (row, column) => STATE.from === row && STATE.to === column,
    choose: (row, column) => go({ from: row, to: column, a: "", b: "" }),
  });
};

const hostMatrix = () => {
  const rows = ROLES.get(STATE.from) ?? [];
  const columns = ROLES.get(STATE.to) ?? [];
  const within = (names) => (host) => (names.includes(host) ? [host] : []);
  return grid({
    kind: `hosts${columns.length > 24 ? " many" : ""}`, names: rows, others: columns, tallied: tallies(within(rows), within(columns)),
    face: (tally) => [SIGNS[tally.worst], tally.worst === "ok" || columns.length > 24 ? "" : ` ${number(tally.count)}`],
    pressed: (row, column) => STATE.a === row && STATE.b === column,
    choose: (row, column) => go({ a: row, b: column }),
  });
};

const LEGEND = {
  ok: "as declared", violation: "not as declared", unproven: "no positive control: nothing is known",
  waived: "somebody answers for it", not_run: "not looked at",
};
const legend = () =>
  h("div", { class: "legend" },
    Object.entries(LEGEND).map(([word, text]) => h("span", null, h("span", { class: `badge v-${word}` }, SIGNS[word]), ` ${words(word)}: ${text}`)),
    h("span", null, "The worst verdict gives sign and colour; the number counts its cells."));

const filters = () => {
  const select = (key, label, values, name = (value) => value) =>
    values.length < 2 && !STATE[key] ? null : h("label", null, label,
      h("select", { onchange: (event) => go({ [key]: event.target.value }), "data-key": key },
        [["", "all"], ...values.map((value) => [value, name(value)])].map(([value, text]) =>
          h("option", { value, ...(STATE[key] === value ? { selected: "" } : {}) }, text))));
  const values = (key) => [...new Set(STORIES.map((story) => story[key]))].sort();
  return h("div", { class: "filters" },
    h("label", null, h("input", { type: "checkbox", checked: Boolean(STATE.bad), "data-key": "bad",
      onchange: (event) => go({ bad: event.target.checked ? "1" : "" }) }), "only what is not ok"),
    select("plane", "plane", values("plane")),
    select("protocol", "protocol", values("protocol")),
    select("family", "family", values("family"), (value) => `IPv${value}`));
};
