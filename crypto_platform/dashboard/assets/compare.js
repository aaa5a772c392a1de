// One pair on every exchange: prices beside each other, and the closes of the last two hours.

import { echarts } from "nicegui-echart";
import { byPair, drawn, key, on, showAge, state } from "/assets/feed.js";
import { clock, group, moment, short, signed } from "/assets/format.js";
import { colours } from "/assets/palette.js";

const SPAN_MS = 2 * 3600000;
const series = new Map();
let pair = new URLSearchParams(location.search).get("pair");
let chart = null;

function here() {
  return [...state.markets.values()].filter((m) => m.pair === pair).sort((a, b) => (a.exchange < b.exchange ? -1 : 1));
}

function median(values) {
  const sorted = values.map(Number).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function choices() {
  const select = document.getElementById("pair");
  const pairs = [...new Set([...state.markets.values()].sort(byPair).map((m) => m.pair))];
  if (!pairs.length) return;
  if (!pairs.includes(pair)) pair = pairs[0];
  if (select.options.length === pairs.length) return;
  select.replaceChildren(...pairs.map((name) => new Option(name, name, name === pair, name === pair)));
}

function show() {
  choices();
  const markets = here();
  const priced = markets.filter((m) => m.last_price !== null);
  const middle = priced.length ? median(priced.map((m) => m.last_price)) : null;
  document.getElementById("median").textContent = middle === null ? "–" : group(String(middle));
  const body = document.querySelector("#exchanges tbody");
  while (body.rows.length < markets.length) {
    const line = body.insertRow();
    for (let i = 0; i < 5; i += 1) line.insertCell().className = i ? "n" : "";
  }
  while (body.rows.length > markets.length) body.deleteRow(-1);
  markets.forEach((market, at) => {
    const cells = body.rows[at].cells;
    body.rows[at].dataset.market = key(market);
    cells[0].textContent = market.exchange;
    cells[1].textContent = group(market.last_price);
    const away = signed(middle && market.last_price ? ((Number(market.last_price) / middle - 1) * 1e4).toFixed(2) : null, "");
    cells[2].textContent = away.text;
    cells[2].dataset.direction = away.direction;
    cells[3].textContent = short(market.spread_bp, 3);
    showAge(cells[4], market);
  });
}

async function load() {
  const end = Math.ceil(Date.now() / 60000) * 60000;
  for (const market of here()) {
    const asked = new URLSearchParams({ exchange: market.exchange, pair, start_ms: end - SPAN_MS, end_ms: end });
    const answer = await fetch(`/api/v1/candles?${asked}`);
    if (!answer.ok) continue;
    const body = await answer.json();
    series.set(key(market), new Map(body.candles.map((c) => [c.start_ms, Number(c.close)])));
  }
  draw();
}

function draw() {
  if (!chart) return;
  const c = colours();
  const shown = here().map((m) => [m.exchange, series.get(key(m)) || new Map()]);
  const times = [...new Set(shown.flatMap(([, closes]) => [...closes.keys()]))].sort((a, b) => a - b);
  const middles = new Map(times.map((at) => [at, median(shown.map(([, closes]) => closes.get(at)).filter((v) => v !== undefined))]));
  document.getElementById("chart").dataset.points = times.length;
  chart.setOption({
    animation: false, backgroundColor: "transparent",
    legend: { textStyle: { color: c.text }, top: 0 },
    grid: { left: 54, right: 12, top: 34, bottom: 28 },
    tooltip: { trigger: "axis", backgroundColor: c.paper, borderColor: c.line, textStyle: { color: c.text }, axisPointer: { label: { formatter: (p) => moment(Number(p.value)) } } },
    xAxis: { type: "category", data: times, axisLabel: { color: c.quiet, formatter: (at) => clock(Number(at)) } },
    yAxis: { scale: true, axisLabel: { color: c.quiet }, splitLine: { lineStyle: { color: c.line } } },
    series: shown.map(([name, closes], at) => ({
      name, type: "line", showSymbol: false, lineStyle: { color: c.lines[at % 5], type: ["solid", "dashed", "dotted"][at % 3] },
      itemStyle: { color: c.lines[at % 5] },
      data: times.map((t) => (closes.has(t) ? Number(((closes.get(t) / middles.get(t) - 1) * 1e4).toFixed(3)) : "-")),
    })),
  }, { replaceMerge: ["series"] });
}

drawn.then(() => {
  chart = echarts.init(document.getElementById("chart"));
  new ResizeObserver(() => chart.resize()).observe(document.getElementById("chart"));
  choices();
  document.getElementById("pair").addEventListener("change", (event) => {
    pair = event.target.value;
    history.replaceState(null, "", `/compare?${new URLSearchParams({ pair })}`);
    series.clear();
    show();
    load();
  });
  on("frame", (body) => {
    let changed = false;
    for (const candle of body.candles) {
      const closes = series.get(key(candle));
      if (closes && candle.pair === pair && candle.interval === "1m") {
        closes.set(candle.start_ms, Number(candle.close));
        changed = true;
      }
    }
    if (changed) draw();
    show();
  });
  on("tick", show);
  on("snapshot", load);
  for (const name of ["themechange", "zonechange"]) window.addEventListener(name, draw);
  show();
  if (here().length) load();
});
