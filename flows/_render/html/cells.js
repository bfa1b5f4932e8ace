const VERDICTS = ["violation", "unproven", "waived", "ok", "not_run"];
const WORD = DATA.words;
const NUMBER = new Map(WORD.map((word, index) => [word, index]));

const STORIES = DATA.stories.map((story, index) => ({
  to: story[0], address: WORD[story[1]], protocol: WORD[story[2]], low: story[3], high: story[4],
  plane: WORD[story[5]], expected: WORD[story[6]], seen: WORD[story[7]], verdict: WORD[story[8]], culprit: WORD[story[9]],
  rows: story[10], probed: story[11], evidence: story[12], note: WORD[story[13]], answered: WORD[story[14]],
  family: WORD[story[1]].includes(":") ? "6" : "4", sources: DATA.sources[index],
}));

// Ends of the pod plane are workloads; any other end that is no host of the site (the controller) stands for itself.
const WORKLOADS = new Set(STORIES.filter((story) => story.plane === "pod")
  .flatMap((story) => [story.to, ...story.sources]).map((end) => WORD[end]));
const rolesOf = (host) => (DATA.roles[host]?.length ? DATA.roles[host] : [WORKLOADS.has(host) ? "pods" : host]);

const ROLES = (() => {
  const roles = new Map();
  const ends = new Set(DATA.hosts);
  for (const story of STORIES) {
    ends.add(WORD[story.to]);
    for (const source of story.sources) ends.add(WORD[source]);
  }
  for (const host of ends) {
    for (const role of rolesOf(host)) roles.set(role, [...(roles.get(role) ?? []), host]);
  }
  return roles;
})();

const chosen = (story) =>
  (!STATE.plane || story.plane === STATE.plane) &&
  (!STATE.protocol || story.protocol === STATE.protocol) &&
  (!STATE.family || story.family === STATE.family) &&
  (!STATE.bad || (story.verdict !== "ok" && story.verdict !== "not_run"));

class Tally {
  constructor() { this.counts = new Map(); }
  add(verdict) { this.counts.set(verdict, (this.counts.get(verdict) ?? 0) + 1); }
  get worst() { return VERDICTS.find((verdict) => this.counts.get(verdict)) ?? "none"; }
  get count() { return this.counts.get(this.worst) ?? 0; }
  toString() { return VERDICTS.filter((verdict) => this.counts.get(verdict)).map((verdict) => `${number(this.counts.get(verdict))} ${words(verdict)}`).join(", "); }
}

const tallies = (rowsOf, columnsOf) => {
  const found = new Map();
  const rowCache = new Map();
  for (const story of STORIES) {
    if (!chosen(story)) continue;
    const columns = columnsOf(WORD[story.to]);
    if (!columns.length) continue;
    for (const source of story.sources) {
      if (!rowCache.has(source)) rowCache.set(source, rowsOf(WORD[source]));
      for (const row of rowCache.get(source)) {
        for (const column of columns) {
          const key = `${row}\n${column}`;
          if (!found.has(key)) found.set(key, new Tally());
          found.get(key).add(story.verdict);
        }
      }
    }
  }
  return {
    at: (row, column) => found.get(`${row}\n${column}`),
    rows: new Set([...found.keys()].map((key) => key.split("\n")[0])),
    columns: new Set([...found.keys()].map((key) => key.split("\n")[1])),
  };
};

const cellsOf = (from, to) => {
  const source = NUMBER.get(from);
  const destination = NUMBER.get(to);
  const order = (story) => VERDICTS.indexOf(story.verdict);
  return STORIES.filter((story) => story.to === destination && chosen(story) && story.sources.includes(source))
    .sort((x, y) => order(x) - order(y) || x.protocol.localeCompare(y.protocol) || x.low - y.low || x.family - y.family);
};

const REPLIES = {
  none: "nothing came back", "syn-ack": "a service accepted (SYN-ACK)", rst: "the host said that nothing listens (RST)",
  data: "a service answered with data",
};

const explained = (story, from, to) => {
  if (story.verdict === "not_run") return `Not looked at${story.note ? `: ${story.note}` : ""}.`;
  if (story.evidence === null) return "No packet was sent: this is what the kernel's rules on the host say.";
  const [sent, arrived, passed, reply] = story.evidence;
  const many = (value) => (value === null ? "not observed" : value > story.probed ? `${number(value)} packets for ${number(story.probed)}` : `${number(value)} of ${number(story.probed)}`);
  const answer = reply === null ? "not observed" : REPLIES[reply] ?? `answered by ${reply}`;
  return `Left ${from}: ${many(sent)}. Arrived at ${to}, before its firewall: ${many(arrived)}. ` +
    `Passed the firewall: ${many(passed)}. Reply: ${answer}.` + (story.answered ? ` Taken by ${story.answered}.` : "");
};
