const COMPONENT_COUNTS = ["created", "changed", "replaced", "pruned"];

const gateRow = (gate) => {
  const figures = Object.entries(gate.figures).map(([name, value]) => `${words(name)} ${number(value)}`).join(", ");
  return h("tr", null,
    h("td", null, badge(gate.status)), h("td", { class: "mono" }, gate.name),
    h("td", null, marked(gate.why), figures ? h("p", { class: "figures" }, figures) : "", gate.findings?.length ? h("ul", null, gate.findings.map((finding) => h("li", null, marked(finding)))) : ""),
    h("td", { class: "num" }, gate.seconds ? `${gate.seconds.toFixed(1)} s` : ""));
};

const componentRow = (component) => {
  const gates = DATA.gates.filter((gate) => gate.component === component.name);
  const counts = COMPONENT_COUNTS.filter((kind) => component[kind]).map((kind) => `${number(component[kind])} ${kind}`).join(", ");
  return h("tr", null,
    h("td", null, badge(component.status)), h("td", { class: "num" }, String(component.phase)), h("td", { class: "mono" }, component.name),
    h("td", null, `${counted(component.objects, "object")}${counts ? `: ${counts}` : ""}`, component.why ? h("p", { class: "next" }, marked(component.why)) : ""),
    h("td", { class: "keep" }, gates.map((gate) => badge(gate.status, gate.name))),
    h("td", { class: "num" }, `${component.seconds.toFixed(1)} s`));
};

const listed = (heads, rows) => h("div", { class: "scroll" }, h("table", { class: "list" },
  h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", null, rows)));

const componentsPanel = () => {
  if (!DATA.components.length && !DATA.gates.length) return null;
  return h("section", { class: "panel" },
    h("div", { class: "head" }, h("h2", null, "Components and gates"), h("span", { class: "muted" }, "what stands in the cluster, and what was seen to work")),
    DATA.components.length ? listed(["", "phase", "component", "objects", "gates", "time"], DATA.components.map(componentRow)) : "",
    DATA.gates.length ? h("details", { class: "group", open: true }, h("summary", null, counted(DATA.gates.length, "gate")), listed(["", "gate", "what was seen", "time"], DATA.gates.map(gateRow))) : "");
};
