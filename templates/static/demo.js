// The demo's television: a device that speaks RFC 8628 to this server, and shows what it says.
//
// `Device` is the protocol and knows nothing of the screen. `television`, `timeline` and `live`
// draw what happens. The last part of the file wires the buttons.

const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code";
const { base, clientId, scope } = document.body.dataset; // base: the path of the issuer
const AUTHORIZATION = `${base}/oauth2/device_authorization`;
const TOKEN = `${base}/oauth2/token`;
const METADATA = `/.well-known/oauth-authorization-server${base}`; // RFC 8414 3: it comes last
const DEFAULT_INTERVAL = 5; // RFC 8628 3.2: where the answer names none
const SLOW_DOWN = 5; // RFC 8628 3.5: added to the interval for every slow_down
const FINAL = new Set(["access_denied", "expired_token"]);
const LONGEST_BACK_OFF = 60;
const PATIENCE = 15; // seconds without an answer that count as a network error

const find = (id) => document.getElementById(id);
const seconds = () => performance.now() / 1000;

// What each message means, with the clause that says so.
const WHY = {
  authorization: ["The device asks for two codes: one to show to a person, one to keep to itself.", "8628", "3.1"],
  authorization_pending: ["Nobody has decided yet, so the device asks again after the interval.", "8628", "3.5"],
  holding: ["This poll is a question that can wait: the answer comes with the decision.", "7240", "4.3"],
  held: ["Nobody has decided yet; the server kept the request open in case somebody would.", "7240", "4.3"],
  slow_down: ["That was too fast: this and all later intervals grow by 5 seconds.", "8628", "3.5"],
  access_denied: ["The request was denied. That is final, so the device stops polling.", "8628", "3.5"],
  expired_token: ["The device code has expired: the device stops, and may start over.", "8628", "3.5"],
  tokens: ["The device code is redeemed, once, for tokens.", "8628", "3.5"],
  at_once: ["The held poll is answered at once: tokens.", "8628", "3.5"],
  approved: ["Out of the device's sight: a person approved.", "8628", "3.3"],
  denied: ["Out of the device's sight: the request was denied.", "8628", "3.3"],
  opened: ["A person opens the page; the code is filled in, and is compared.", "8628", "3.3.1"],
  rotated: ["A new access token, and a new refresh token: the old one is spent.", "9700", "4.14.2"],
  refreshed: ["A new access token; the refresh token stays the same.", "6749", "6"],
  elapsed: ["expires_in has passed, so the device stops polling by itself.", "8628", "3.2"],
  trouble: ["No useful answer: the device backs off, doubling its delay each time.", "8628", "3.5"],
  refused: ["The server refused the request; asking again would not help.", "6749", "5.2"],
};

// ---------------------------------------------------------------- the device

class NoAnswer extends Error {}

/** POST a form as a device does; throws NoAnswer where the network or the server fails. */
async function post(path, parameters, { signal, wait = 0 }) {
  const headers = { Accept: "application/json", ...(wait && { Prefer: `wait=${wait}` }) };
  const sent = performance.now();
  try {
    const response = await fetch(path, {
      method: "POST",
      body: new URLSearchParams(parameters),
      headers,
      credentials: "omit", // a television has no session with the person's browser
      redirect: "error",
      cache: "no-store",
      signal: AbortSignal.any([signal, AbortSignal.timeout((wait + PATIENCE) * 1000)]),
    });
    const text = await response.text();
    return {
      path,
      parameters,
      wait,
      applied: response.headers.get("Preference-Applied"),
      retryAfter: Number(response.headers.get("Retry-After")) || 0,
      status: response.status,
      body: parse(text),
      ms: performance.now() - sent,
    };
  } catch (problem) {
    const late = problem.name === "TimeoutError";
    throw new NoAnswer(late ? "timed out" : "network error", { cause: problem });
  }
}

function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}

/** One run of the flow. `on` is told what happens; `wait()` says how long to have a poll held. */
class Device {
  interval = DEFAULT_INTERVAL;
  failures = 0;
  nextPoll = 0;
  held = null; // { since, wait } while a poll with `Prefer: wait` is under way
  done = false;
  #abort = new AbortController();

  constructor(on, wait) {
    this.on = on;
    this.wait = wait;
  }

  async run() {
    this.grant = await this.#authorize();
    if (this.grant) await this.#pollUntilDecided();
  }

  stop() {
    this.done = true;
    this.#abort.abort();
  }

  /** Polls before the interval is over. If the poll happened to be due, the next one is not. */
  async hurry() {
    for (let tries = 0; tries < 2 && !this.done; tries += 1) {
      const answer = await this.#poll(0);
      if (!answer || answer.body.error === "slow_down") return;
    }
  }

  async refresh(token) {
    const parameters = { grant_type: "refresh_token", refresh_token: token, client_id: clientId };
    try {
      return await post(TOKEN, parameters, { signal: new AbortController().signal });
    } catch (problem) {
      if (!(problem instanceof NoAnswer)) throw problem;
      this.on.trouble(TOKEN, parameters, problem.message, 0);
      return null;
    }
  }

  async #authorize() {
    while (!this.done) {
      const answer = await this.#ask(AUTHORIZATION, { client_id: clientId, scope }, 0);
      if (answer?.status === 200) {
        this.interval = answer.body.interval ?? DEFAULT_INTERVAL;
        this.deadline = seconds() + answer.body.expires_in;
        this.on.codes(answer);
        return answer.body;
      }
      if (answer) this.#finish("refused", answer);
      await this.#pause();
    }
    return null;
  }

  async #pollUntilDecided() {
    // With a held poll there is no reason to let the first interval pass.
    if (!this.wait()) this.#schedule(this.interval);
    while (!this.done) {
      await this.#pause();
      if (this.done) return;
      if (seconds() >= this.deadline) {
        this.#finish("elapsed", null);
        return;
      }
      const left = Math.ceil(this.deadline - seconds());
      await this.#poll(Math.min(this.wait(), left));
    }
  }

  async #poll(wait) {
    const sent = seconds();
    const question = this.#question();
    if (wait) {
      this.held = { since: sent, wait };
      this.on.held(question, wait);
    }
    const answer = await this.#ask(TOKEN, question, wait);
    if (wait && !this.done) {
      this.held = null;
      this.on.released();
    }
    if (!answer || this.done) return null;
    this.#obey(answer, sent);
    return answer;
  }

  #question() {
    return { grant_type: GRANT_TYPE, device_code: this.grant.device_code, client_id: clientId };
  }

  #obey(answer, sent) {
    const { error, interval } = answer.body;
    const before = this.interval;
    if (error === "slow_down") {
      this.interval = Math.max(this.interval + SLOW_DOWN, interval ?? 0);
    }
    if (error === "authorization_pending" || error === "slow_down") {
      // A held poll has waited already: the interval counts from its start.
      this.#schedule(this.interval - (answer.applied ? seconds() - sent : 0));
      this.on.pending(answer, before, this.interval);
    } else if (answer.status === 200) {
      this.#finish("tokens", answer);
    } else {
      this.#finish(FINAL.has(error) ? error : "refused", answer);
    }
  }

  /** One request; null, and a growing delay, where there was no useful answer (RFC 8628 3.5). */
  async #ask(path, parameters, wait) {
    try {
      const answer = await post(path, parameters, { signal: this.#abort.signal, wait });
      if (answer.status < 500 && answer.status !== 429) {
        this.failures = 0;
        return answer;
      }
      this.#backOff(path, parameters, `status ${answer.status}`, answer.retryAfter);
    } catch (problem) {
      if (!(problem instanceof NoAnswer)) throw problem;
      if (!this.done) this.#backOff(path, parameters, problem.message, 0);
    }
    return null;
  }

  #backOff(path, parameters, problem, retryAfter) {
    this.failures += 1;
    const doubled = Math.min(this.interval * 2 ** this.failures, LONGEST_BACK_OFF);
    const delay = Math.max(doubled, retryAfter);
    this.#schedule(delay);
    this.on.trouble(path, parameters, problem, delay);
  }

  #schedule(delay) {
    this.pauseFrom = seconds();
    this.nextPoll = this.pauseFrom + Math.max(0, delay);
  }

  /** Until the next poll is due, however often that is put off meanwhile, or the code expires. */
  async #pause() {
    for (;;) {
      const until = Math.min(this.nextPoll, this.deadline ?? Infinity);
      const left = until - seconds();
      if (this.done || left <= 0) return;
      await new Promise((resolve) => { setTimeout(resolve, Math.min(left, 1) * 1000); });
    }
  }

  #finish(how, answer) {
    this.stop();
    this.on.released();
    this.on.end(how, answer);
  }
}

// ---------------------------------------------------------------- words and marks

/** An element: `make("p", "class names", children...)`; children are nodes or text, never HTML. */
function make(tag, names, ...children) {
  const element = document.createElement(tag);
  if (names) element.className = names;
  element.append(...children.filter((child) => child !== null));
  return element;
}

const SECRETS = new Set(["device_code", "access_token", "refresh_token", "id_token"]);
const TIMES = new Set(["iat", "exp", "nbf", "auth_time"]);
const short = (text, length = 10) => (text.length > length + 4 ? `${text.slice(0, length)}…` : text);
const ends = (text) => `${text.slice(0, 8)}…${text.slice(-8)}`; // both, as tokens may start alike

function clause([words, rfc, section]) {
  const link = make("a", "clause", `RFC ${rfc} §${section}`);
  link.href = `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${section}`;
  link.target = "_blank";
  link.rel = "noreferrer";
  return make("p", "why", words, " ", link);
}

function duration(left) {
  const whole = Math.max(0, Math.ceil(left));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function moment(epoch) {
  const ahead = epoch - Date.now() / 1000;
  const scales = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const [size, unit] = scales.find(([length]) => Math.abs(ahead) >= length * 0.95) ?? scales[3];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  return `${new Date(epoch * 1000).toLocaleTimeString("en-GB")}, ${words.format(Math.round(ahead / size), unit)}`;
}

function value(name, content) {
  if (typeof content === "number") {
    const time = TIMES.has(name) ? make("i", "note", ` ${moment(content)}`) : null;
    return make("span", null, make("span", "number", String(content)), time);
  }
  if (typeof content !== "string") return make("span", "number", JSON.stringify(content));
  if (!SECRETS.has(name)) return make("span", "string", `"${content}"`);
  const parts = content.split(".");
  const drawn = parts.length === 3
    ? parts.flatMap((part, at) => [at ? "." : "", make("span", `jwt${at}`, short(part, 8))])
    : [short(content, 20)];
  const mark = make("span", "string", '"', ...drawn, '"');
  mark.title = content;
  return mark;
}

function json(body, names) {
  const lines = Object.entries(body).map(([name, content]) =>
    make("div", "line", make("span", "name", name), ": ", value(name, content)));
  return make("div", `block ${names}`, ...lines);
}

function request(answer) {
  const lines = Object.entries(answer.parameters).map(([name, content]) => {
    const told = SECRETS.has(name) ? short(content, 20) : content;
    return make("div", "line", make("span", "name", name), "=", told);
  });
  if (answer.wait) lines.unshift(make("div", "line header", `Prefer: wait=${answer.wait}`));
  return make("div", "block asked", ...lines);
}

const change = (what, before, after) =>
  make("p", "change", what, make("s", null, before), " → ", make("b", null, after));

function decode(token) {
  const parts = token.split(".");
  if (parts.length !== 3) return null;
  try {
    const [header, claims] = parts.slice(0, 2).map((part) => {
      const bytes = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
      return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (one) => one.charCodeAt(0))));
    });
    return { header, claims };
  } catch {
    return null;
  }
}

function decoded(name, rfc, section, token) {
  const jwt = typeof token === "string" ? decode(token) : null;
  if (!jwt) return null;
  const said = make("a", "clause", rfc === "OIDC" ? `OIDC Core §${section}` : `RFC ${rfc} §${section}`);
  said.href = rfc === "OIDC"
    ? "https://openid.net/specs/openid-connect-core-1_0.html#IDToken"
    : `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${section}`;
  said.target = "_blank";
  said.rel = "noreferrer";
  const details = make("details", "jwt", make("summary", null, `${name}, decoded`),
    make("p", "part", "header ", said), json(jwt.header, "inside flow"),
    make("p", "part", "claims"), json(jwt.claims, "inside claims"));
  details.open = true;
  return details;
}

// ---------------------------------------------------------------- the television's screen

const television = {
  show(state, words) {
    find("tv").dataset.state = state;
    for (const view of document.querySelectorAll("[data-view]")) {
      view.hidden = view.dataset.view !== state;
    }
    find("state").textContent = words;
  },

  codes(grant) {
    const code = find("tv-code");
    code.textContent = grant.user_code;
    code.classList.toggle("long", grant.user_code.length > 11);
    const spelled = [...grant.user_code].join(" ").replace(" - ", ", ");
    code.setAttribute("aria-label", spelled);
    find("tv-address").textContent = grant.verification_uri;
    const complete = grant.verification_uri_complete;
    find("tv-qr").hidden = !complete;
    if (complete) {
      const image = find("tv-qr").querySelector("img");
      image.src = `${base}/demo/qr.svg?user_code=${encodeURIComponent(grant.user_code)}`;
    }
    find("approve").href = complete ?? grant.verification_uri;
    find("approve").removeAttribute("aria-disabled");
    this.show("code", `Go to ${grant.verification_uri} and enter ${spelled}`);
  },

  /** There is no code, or it is spent: the approval page has nothing to ask. */
  noCode() {
    find("approve").removeAttribute("href");
    find("approve").setAttribute("aria-disabled", "true");
  },

  tick(device) {
    if (device.done || !device.deadline) return;
    const left = device.deadline - seconds();
    find("tv-left").textContent = duration(left);
    find("tv-life").style.setProperty("--left", Math.max(0, left / device.grant.expires_in));
  },

  welcome(tokens) {
    const claims = decode(tokens.id_token ?? "")?.claims ?? decode(tokens.access_token)?.claims ?? {};
    const name = claims.name ?? claims.preferred_username ?? claims.sub ?? "you";
    find("tv-person").textContent = name;
    this.show("approved", `Signed in as ${name}. Enjoy.`);
  },
};

// ---------------------------------------------------------------- the timeline

const timeline = {
  started: 0,
  latest: null, // { key, count, entry } of the newest entry, for collapsing
  shown: null, // the entry that was scrolled to
  held: null, // the entry of a poll that the server holds; stays last

  clear() {
    this.started = seconds();
    this.latest = null;
    this.held = null;
    this.shown = null;
    find("log").replaceChildren();
    this.step(0);
  },

  step(now) {
    [...find("steps").children].forEach((step, at) => {
      step.className = at < now ? "past" : "";
      step.toggleAttribute("aria-current", at === now);
    });
  },

  exchanged(kind, answer, why, ...more) {
    const held = Boolean(answer.applied);
    const took = answer.ms >= 1000 ? `${(answer.ms / 1000).toFixed(1)} s` : `${Math.max(1, Math.round(answer.ms))} ms`;
    const applied = held ? make("div", "line header", `Preference-Applied: ${answer.applied}`) : null;
    const body = json(answer.body, "told");
    if (applied) body.prepend(applied);
    const status = make("span", "status", String(answer.status));
    this.add(kind, this.key(answer), [
      this.head("→", "TV to server", `POST ${answer.path}`, status, make("span", "ms", held ? `held ${took}` : took)),
      clause(why), request(answer), body, ...more,
    ]);
  },

  hold(parameters, wait) {
    const dots = make("span", "dots", make("i"), make("i"), make("i"));
    dots.setAttribute("aria-hidden", "true");
    const answer = make("div", "block told", make("div", "line", dots, " held open until somebody decides"));
    this.held = make("li", "entry person", this.head("→", "TV to server", `POST ${TOKEN}`),
      clause(WHY.holding), request({ parameters, wait }), answer);
    this.follow(() => find("log").append(this.held), this.held);
  },

  release() {
    this.held?.remove();
    this.held = null;
  },

  key(answer) {
    const { error } = answer.body;
    return error ? [answer.path, error, answer.wait > 0, JSON.stringify(answer.body)].join() : null;
  },

  note(kind, arrow, way, title, why, ...more) {
    this.add(kind, null, [this.head(arrow, way, title), clause(why), ...more]);
  },

  head(arrow, way, title, ...more) {
    const sign = make("span", "way", arrow);
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", way);
    const at = make("span", "at", `+${(seconds() - this.started).toFixed(1)} s`);
    return make("div", "head", sign, make("span", "call", title), at, ...more);
  },

  /** Consecutive equal polls are one entry with a counter. */
  add(kind, key, parts) {
    const same = key !== null && this.latest?.key === key;
    const count = same ? this.latest.count + 1 : 1;
    if (count > 1) parts[0].querySelector(".call").after(make("span", "count", `×${count}`));
    const entry = make("li", `entry ${kind}${same ? " again" : ""}`, ...parts);
    const place = () => {
      if (same) this.latest.entry.replaceWith(entry);
      else find("log").insertBefore(entry, this.held);
    };
    this.follow(place, entry);
    this.latest = { key, count, entry };
  },

  /** Scrolls to a new entry, and to what led to it, unless the reader has scrolled back. */
  follow(place, entry) {
    const scroll = find("scroll");
    const top = (one) => one.offsetTop - 12;
    const last = find("log").lastElementChild;
    const reading = last && scroll.scrollTop < Math.min(top(this.shown ?? last), scroll.scrollHeight - scroll.clientHeight) - 40;
    place();
    if (reading) return;
    const before = entry.previousElementSibling;
    this.shown = before?.matches(".event") ? before : entry;
    scroll.scrollTop = top(this.shown);
  },
};

// ---------------------------------------------------------------- what happens now

const live = {
  tick(device) {
    const [mode, done, what, more] = this.now(device);
    find("live").dataset.mode = mode;
    find("ring").style.setProperty("--done", done);
    find("live-what").textContent = what;
    find("live-more").textContent = more;
    find("pace").hidden = !device.grant;
    find("pace").querySelector("b").textContent = `${device.interval} s`;
  },

  now(device) {
    const now = seconds();
    if (device.done) return [tokens ? "good" : "bad", 1, this.ending, ""];
    if (device.held) {
      const held = now - device.held.since;
      const part = Math.min(1, held / device.held.wait);
      return ["held", part, `The server holds the poll: ${Math.floor(held)} s`, `of at most ${device.held.wait} s, or until somebody decides`];
    }
    const left = device.nextPoll - now;
    if (left <= 0) return ["busy", 0, "Asking the server", ""];
    const part = 1 - left / (device.nextPoll - device.pauseFrom);
    const why = device.failures ? "backing off after a failure" : "one question per interval";
    return ["pause", part, `Next ${device.grant ? "poll" : "try"} in ${left.toFixed(1)} s`, why];
  },
};

// ---------------------------------------------------------------- what the device reports

let tokens = null;

const on = {
  codes(answer) {
    timeline.exchanged("ask", answer, WHY.authorization);
    timeline.step(2);
    television.codes(answer.body);
    find("hurry").disabled = false;
  },

  held(parameters, wait) {
    timeline.hold(parameters, wait);
  },

  released() {
    timeline.release();
  },

  pending(answer, before, after) {
    if (answer.body.error === "slow_down") {
      timeline.exchanged("slow", answer, WHY.slow_down, change("interval ", `${before} s`, `${after} s`));
      find("state").textContent = `The device polled too fast: it now waits ${after} seconds.`;
    } else {
      timeline.exchanged("wait", answer, answer.applied ? WHY.held : WHY.authorization_pending);
    }
  },

  trouble(path, parameters, problem, delay) {
    const next = delay ? `Tries again in ${delay} s.` : "Try again in a moment.";
    timeline.note("bad", "✕", "No answer", `POST ${path}: ${problem}`, WHY.trouble, make("p", "next", next));
  },

  end(how, answer) {
    find("hurry").disabled = true;
    television.noCode();
    const end = { tokens: this.approved, access_denied: this.denied, expired_token: this.expired, elapsed: this.elapsed };
    (end[how] ?? this.refused).call(this, answer);
  },

  approved(answer) {
    timeline.note("person event", "⇢", "Person to server", "POST /device: approve", WHY.approved);
    const why = answer.applied || answer.wait ? WHY.at_once : WHY.tokens;
    tokens = answer.body;
    timeline.exchanged("good", answer, why,
      decoded("access_token", "9068", "2.2", tokens.access_token),
      decoded("id_token", "OIDC", "2", tokens.id_token));
    timeline.step(5);
    television.welcome(tokens);
    live.ending = "Signed in: no more polls";
    find("refresh").disabled = !tokens.refresh_token;
  },

  denied(answer) {
    timeline.note("person event", "⇢", "Person to server", "POST /device: deny", WHY.denied);
    timeline.exchanged("bad", answer, WHY.access_denied);
    timeline.step(3);
    television.show("denied", "Sign-in declined.");
    live.ending = "Denied: no more polls";
  },

  expired(answer) {
    timeline.exchanged("bad", answer, WHY.expired_token);
    television.show("expired", "The code has expired.");
    live.ending = "Expired: no more polls";
  },

  elapsed() {
    timeline.note("bad", "✕", "The device stops", "The device gives up", WHY.elapsed);
    television.show("expired", "The code has expired.");
    live.ending = "Expired: no more polls";
  },

  refused(answer) {
    timeline.exchanged("bad", answer, WHY.refused);
    const said = answer.body.error_description ?? answer.body.error ?? `status ${answer.status}`;
    find("tv-failure").textContent = `The server says: ${said}`;
    television.show("failed", `That did not work. The server says: ${said}`);
    live.ending = "Refused: no more requests";
  },
};

// ---------------------------------------------------------------- buttons

let device = null;
let longestWait = 0;

function start() {
  device?.stop();
  tokens = null;
  for (const id of ["hurry", "refresh"]) find(id).disabled = true;
  television.noCode();
  timeline.clear();
  television.show("starting", "Getting a code.");
  const next = new Device(on, () => (find("wait").checked ? longestWait : 0));
  device = next;
  next.run();
}

async function refresh() {
  find("refresh").disabled = true;
  const current = device;
  const old = tokens.refresh_token;
  const answer = await current.refresh(old);
  if (current !== device) return;
  find("refresh").disabled = false;
  if (!answer) return;
  if (answer.status !== 200) {
    timeline.exchanged("bad", answer, WHY.refused);
    return;
  }
  const fresh = answer.body.refresh_token ?? old;
  tokens = { ...tokens, ...answer.body, refresh_token: fresh };
  const spent = change("refresh_token ", ends(old), ends(fresh));
  timeline.exchanged("good", answer, fresh === old ? WHY.refreshed : WHY.rotated,
    fresh === old ? null : spent, decoded("access_token", "9068", "2.2", answer.body.access_token));
}

/** Whether the server holds polls, and for how long (its own member of the RFC 8414 metadata). */
async function longestHold() {
  try {
    const response = await fetch(METADATA, { credentials: "omit" });
    const metadata = await response.json();
    return Math.max(0, Math.floor(Number(metadata.device_poll_max_wait) || 0));
  } catch {
    return 0;
  }
}

for (const button of document.querySelectorAll("[data-restart]")) button.addEventListener("click", start);
find("hurry").addEventListener("click", async () => {
  find("hurry").disabled = true;
  const current = device;
  await current.hurry();
  if (current === device) find("hurry").disabled = current.done;
});
find("refresh").addEventListener("click", refresh);
find("approve").addEventListener("click", () => {
  if (!find("approve").href) return;
  timeline.step(3);
  timeline.note("person event", "⇢", "Person to server", `GET ${base}/device?user_code=…`, WHY.opened);
});

longestWait = await longestHold();
find("wait-switch").hidden = longestWait === 0;
find("wait").checked = longestWait > 0;
start();
setInterval(() => {
  television.tick(device);
  live.tick(device);
}, 100);

