// Redraws the figures of the overview every two seconds, and writes times as the clock of the
// person shows them. Without it the page has the figures of its loading, and times in UTC.

const EVERY_MS = 2000;
const POINTS = 60; // two minutes
const [WIDTH, HEIGHT] = [120, 32];

const whole = new Intl.NumberFormat("en");
const rate = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const part = (value) => (value === undefined ? "–" : `${(value * 100).toFixed(1)}%`);

// What each figure shows: its number, and the words below it.
const FIGURES = {
  grants_pending: [(now) => whole.format(now.grants_pending)],
  polls: [(now) => rate.format(now.polls), (now) => `lane ${part(now.lane_part)}`],
  slow_down_part: [
    (now) => part(now.slow_down_part),
    (now) => `of all polls, one asked for every ${now.interval_s.toFixed(0)} s`,
  ],
  grants_started: [(now) => rate.format(now.grants_started)],
  approved: [
    (now) => rate.format(now.approved),
    (now) => `denied ${rate.format(now.denied)}, cancelled ${rate.format(now.cancelled)}`,
  ],
  redeemed: [(now) => rate.format(now.redeemed)],
  held: [(now) => whole.format(now.held), (now) => `of ${whole.format(now.held_limit)}`],
  connections: [(now) => whole.format(now.connections)],
};

const STORE = {
  reachable: ["Store reachable", "good"],
  pressed: ["The store is nearly full or slow: no new grants, everything else goes on", "bad"],
  "refuses writes": ["The store refuses writes: no new grants, no decisions", "bad"],
  away: ["The store is away: pending polls go on, nothing else works", "bad"],
};

const history = Object.fromEntries(Object.keys(FIGURES).map((name) => [name, []]));

function draw(figure, values) {
  const top = Math.max(...values, 0) || 1;
  const at = (value, index) => [
    WIDTH - (values.length - 1 - index) * (WIDTH / (POINTS - 1)),
    HEIGHT - 2 - (value / top) * (HEIGHT - 6),
  ];
  const points = values.map((value, index) => at(value, index).map((x) => x.toFixed(2)).join(" "));
  const line = `M${points.join("L")}`;
  const first = at(values[0], 0)[0].toFixed(2);
  figure.querySelector(".line").setAttribute("d", line);
  figure.querySelector(".area").setAttribute("d", `${line}L${WIDTH} ${HEIGHT}L${first} ${HEIGHT}Z`);
}

function row(outcome, number, polls) {
  const made = document.createElement("tr");
  const [name, value, bar] = [
    document.createElement("th"), document.createElement("td"), document.createElement("td"),
  ];
  name.scope = "row";
  name.append(Object.assign(document.createElement("code"), { textContent: outcome }));
  value.className = "number";
  value.textContent = rate.format(number);
  bar.className = "wide";
  const meter = Object.assign(document.createElement("meter"), { min: 0, max: polls, value: number });
  meter.setAttribute("aria-label", `${outcome}: part of all polls`);
  bar.append(meter);
  made.append(name, value, bar);
  return made;
}

function show(now) {
  for (const [name, [number, more]] of Object.entries(FIGURES)) {
    const figure = document.querySelector(`[data-figure="${name}"]`);
    figure.querySelector("b").textContent = number(now);
    if (more) figure.querySelector(".more").textContent = more(now);
    history[name] = [...history[name], now[name] ?? 0].slice(-POINTS);
    draw(figure, history[name]);
  }
  const rows = Object.entries(now.polls_by_outcome);
  if (rows.length) {
    const made = rows.map(([outcome, number]) => row(outcome, number, now.polls));
    document.getElementById("outcomes").replaceChildren(...made);
  }
  say(...STORE[now.store]);
  const workers = `${now.workers} ${now.workers === 1 ? "worker" : "workers"}`;
  document.getElementById("of").textContent = `${workers} · rates of the last ${now.seconds.toFixed(0)} s`;
}

// A status that has not changed is not written again: screen readers would read it out.
function say(text, kind) {
  const state = document.querySelector("#state b");
  if (state.textContent.trim() !== text) {
    state.textContent = text;
    state.className = kind;
  }
}

async function look(fleet) {
  try {
    const answer = await fetch(fleet.dataset.source, { cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      location.reload(); // the session has ended
      return;
    }
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    fleet.classList.remove("stale");
  } catch {
    fleet.classList.add("stale");
    say("This host does not answer. These figures are the last ones.", "bad");
  }
  setTimeout(look, EVERY_MS, fleet);
}

for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  time.textContent = new Intl.DateTimeFormat(navigator.language, {
    dateStyle: "medium", timeStyle: "short",
  }).format(moment);
}

const fleet = document.getElementById("fleet");
if (fleet) look(fleet);
