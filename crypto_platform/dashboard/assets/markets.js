// The table of all markets.

import { byPair, drawn, key, on, showAge, state } from "/assets/feed.js";
import { group, short, signed } from "/assets/format.js";

const rows = new Map();
const before = new Map();

function row(market) {
  const line = document.createElement("tr");
  line.dataset.market = key(market);
  const cells = {};
  for (const [name, classes] of [
    ["pair", ""], ["exchange", ""], ["price", "n price"], ["change", "n"], ["bid", "n wide"], ["ask", "n wide"],
    ["spread", "n"], ["volume", "n wide"], ["age", "n age"],
  ]) {
    const cell = document.createElement(name === "pair" ? "th" : "td");
    if (name === "pair") cell.scope = "row";
    cell.className = classes;
    cell.dataset.field = name;
    cells[name] = cell;
    line.append(cell);
  }
  const link = document.createElement("a");
  link.href = `/chart?${new URLSearchParams({ exchange: market.exchange, pair: market.pair })}`;
  link.textContent = market.pair;
  cells.pair.append(link);
  cells.exchange.textContent = market.exchange;
  return { line, cells };
}

function set(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

function show(market) {
  const name = key(market);
  if (!rows.has(name)) {
    rows.set(name, row(market));
    place();
  }
  const { line, cells } = rows.get(name);
  const earlier = before.get(name);
  const price = Number(market.last_price);
  const move = earlier === undefined ? 0 : Math.sign(price - earlier);
  if (earlier !== price) {
    before.set(name, price);
    cells.price.dataset.direction = move;
  }
  const arrow = { 1: "▲ ", "-1": "▼ ", 0: "" }[cells.price.dataset.direction || 0];
  set(cells.price, arrow + group(market.last_price));
  line.dataset.exchangeMs = market.exchange_time_us / 1000;
  line.dataset.price = market.last_price;
  const change = signed(market.change_24h_percent, " %");
  set(cells.change, change.text);
  cells.change.dataset.direction = change.direction;
  set(cells.bid, group(market.bid_price));
  set(cells.ask, group(market.ask_price));
  set(cells.spread, short(market.spread_bp, 3));
  set(cells.volume, short(market.base_volume_24h, 2));
  showAge(cells.age, market);
}

function place() {
  const body = document.querySelector("#markets tbody");
  if (!body) return;
  const wanted = (document.getElementById("filter").value || "").trim().toUpperCase();
  const shown = [...rows.keys()]
    .filter((name) => name.toUpperCase().includes(wanted))
    .sort((a, b) => byPair(state.markets.get(a), state.markets.get(b)));
  body.replaceChildren(...shown.map((name) => rows.get(name).line));
  document.getElementById("count").textContent = `${shown.length} of ${rows.size}`;
}

drawn.then(() => {
  document.getElementById("filter").addEventListener("input", place);
  on("frame", (body) => body.markets.forEach(show));
  on("tick", () => state.markets.forEach((m) => rows.has(key(m)) && showAge(rows.get(key(m)).cells.age, m)));
  state.markets.forEach(show);
});
