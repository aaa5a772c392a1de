// The one connection of a page: the stream, what it has said so far, and the two signs.
// The connection sign says whether the server talks to us; the freshness sign says how old the data is. Either can
// be bad while the other is good.

import { age, zone } from "/assets/format.js";

const STALE_MS = 2500;
const SILENT_MS = 15000;
const NOTHING_HEARD_MS = 6000;
const OFFLINE_AFTER_MS = 10000;

const markets = new Map();
const anomalies = new Map();
const listeners = { frame: [], tick: [], snapshot: [] };
let pipeline = null;
let source = null;
let lastId = null;
let heardAt = Date.now();
let lostAt = null;
let retry = null;
let offset = null;
let frames = 0;

export const key = (market) => `${market.exchange}|${market.pair}`;
export const state = {
  markets,
  anomalies,
  get pipeline() {
    return pipeline;
  },
  get frames() {
    return frames;
  },
};

export function on(name, listener) {
  listeners[name].push(listener);
}

// The server's clock as far as a frame's way allows: a viewer whose clock is wrong still sees true ages.
export function now() {
  return Date.now() - (offset === null ? 0 : offset);
}

export function freshness(market) {
  const ms = now() - market.exchange_time_us / 1000;
  return { ms, state: ms < STALE_MS ? "fresh" : ms < SILENT_MS ? "stale" : "silent" };
}

const SIGNS = { fresh: "✓", stale: "!", silent: "✕" };

export function showAge(cell, market) {
  const { ms, state: found } = freshness(market);
  cell.textContent = `${SIGNS[found]} ${age(ms)}`;
  cell.dataset.state = found;
}

function take(body) {
  for (const market of body.markets || []) markets.set(key(market), market);
  for (const finding of body.anomalies || []) anomalies.set(finding.id, finding);
  if (body.pipeline) pipeline = body.pipeline;
  const simulated = (pipeline && pipeline.simulated) || [...markets.values()].some((m) => m.simulated);
  const banner = document.getElementById("simulated");
  if (banner) banner.hidden = !simulated;
}

function emit(name, body) {
  for (const listener of listeners[name]) listener(body);
}

function heard(event) {
  heardAt = Date.now();
  lostAt = null;
  lastId = event.lastEventId || lastId;
  const body = JSON.parse(event.data);
  const late = Date.now() - body.sent_ms;
  if (offset === null || late < offset) offset = late;
  setConnection("live");
  return body;
}

function setConnection(name) {
  const sign = document.getElementById("connection");
  const texts = {
    live: "● live",
    connecting: "◌ connecting",
    reconnecting: "◌ reconnecting",
    offline: "✕ offline",
    paused: "‖ paused",
  };
  if (sign && sign.dataset.state !== name) {
    sign.dataset.state = name;
    sign.textContent = texts[name];
  }
}

function lost() {
  if (lostAt === null) lostAt = Date.now();
  const offline = !navigator.onLine || Date.now() - lostAt > OFFLINE_AFTER_MS;
  setConnection(offline ? "offline" : "reconnecting");
}

function open() {
  close();
  heardAt = Date.now();
  const after = lastId ? `?after=${encodeURIComponent(lastId)}` : "";
  source = new EventSource(`/api/v1/stream${after}`);
  source.addEventListener("snapshot", (event) => {
    const body = heard(event);
    take(body);
    frames += 1;
    emit("snapshot", body);
    emit("frame", body);
  });
  source.addEventListener("frame", (event) => {
    const body = heard(event);
    take(body);
    frames += 1;
    emit("frame", body);
  });
  source.addEventListener("heartbeat", heard);
  source.onerror = () => {
    lost();
    // The browser itself tries again after a broken connection, but not after a refusal.
    if (source && source.readyState === EventSource.CLOSED && retry === null) {
      retry = setTimeout(() => {
        retry = null;
        if (!document.hidden) open();
      }, 2000);
    }
  };
}

function close() {
  if (source) source.close();
  source = null;
}

function showFreshness() {
  const sign = document.getElementById("freshness");
  if (!sign) return;
  let worst = null;
  let bad = 0;
  for (const market of markets.values()) {
    const found = freshness(market);
    if (found.state !== "fresh") bad += 1;
    if (worst === null || found.ms > worst.ms) worst = { ...found, market };
  }
  if (worst === null) return;
  sign.dataset.state = worst.state;
  sign.textContent =
    worst.state === "fresh"
      ? `✓ fresh, ${age(worst.ms)}`
      : `${SIGNS[worst.state]} ${bad} of ${markets.size} stale: ${worst.market.pair}, ${age(worst.ms)}`;
}

setInterval(() => {
  if (!document.hidden && source && Date.now() - heardAt > NOTHING_HEARD_MS) {
    lost();
    open();
  } else if (lostAt !== null) {
    lost();
  }
  showFreshness();
  emit("tick");
}, 250);

// A hidden page gets nothing, so nothing piles up; a page that is seen again gets a snapshot.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    close();
    lastId = null;
    setConnection("paused");
  } else {
    open();
  }
});

const zoneButton = document.getElementById("zone");
const themeButton = document.getElementById("theme");
const THEMES = ["auto", "light", "dark"];

function showTools() {
  const zoneNow = document.getElementById("zone");
  const themeNow = document.getElementById("theme");
  if (zoneNow) zoneNow.textContent = zone.local ? "Local time" : "UTC";
  if (zoneNow) zoneNow.setAttribute("aria-label", `Times in ${zone.name}`);
  if (themeNow) themeNow.textContent = `Theme: ${document.documentElement.dataset.chosen}`;
}

function nextTheme() {
  const chosen = document.documentElement.dataset.chosen;
  window.setTheme(THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length]);
  showTools();
}

document.addEventListener("click", (event) => {
  if (event.target.id === "zone") zone.toggle();
  if (event.target.id === "theme") nextTheme();
});
window.addEventListener("zonechange", showTools);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const filter = document.getElementById("filter");
  if (event.key === "/" && filter) {
    event.preventDefault();
    filter.focus();
  } else if (event.key === "u") {
    zone.toggle();
  } else if (event.key === "d") {
    nextTheme();
  }
});

// The page's own parts are drawn by Vue; scripts wait for them, and the stream begins at once.
export const drawn = new Promise((resolve) => {
  const look = () => (document.getElementById("content") ? resolve() : setTimeout(look, 10));
  look();
});

// Pairs in the order in which they are configured, then by name.
let order = [];
export function byPair(a, b) {
  const place = (pair) => (order.includes(pair) ? order.indexOf(pair) : order.length);
  return place(a.pair) - place(b.pair) || (a.pair + a.exchange < b.pair + b.exchange ? -1 : 1);
}

const initial = document.getElementById("initial");
if (initial) {
  const known = JSON.parse(initial.textContent);
  order = known.pairs;
  take(known);
}
drawn.then(() => {
  take({});
  showTools();
  showFreshness();
  emit("frame", { markets: [...markets.values()], candles: [], anomalies: [], pipeline });
});
if (!document.hidden) open();
window.dashboard = { state, now, freshness };
