// Candles with volume, spread and volatility of one market. History comes from the API, the open end from the stream;
// a closed bar replaces the one that formed.

import { echarts } from "nicegui-echart";
import { drawn, key, on, state } from "/assets/feed.js";
import { clock, group, moment, signed } from "/assets/format.js";
import { colours } from "/assets/palette.js";

const LENGTHS = { "1m": 60000, "5m": 300000, "15m": 900000, "1h": 3600000 };
const RANGES = { "1h": 36e5, "4h": 144e5, "12h": 432e5, "1d": 864e5, "7d": 6048e5, "30d": 2592e6 };
const REDRAW_MS = 250;

const bars = new Map();
let choice = null;
let chart = null;
let redrawAt = 0;
let pending = null;
let ready = false;
let failed = false;

function read() {
  const [exchange, pair] = document.getElementById("market").value.split("|");
  return {
    exchange, pair,
    interval: document.getElementById("interval").value,
    range: document.getElementById("range").value,
  };
}

function bounds() {
  const length = LENGTHS[choice.interval];
  const end = Math.floor(Date.now() / length) * length + length;
  return { start: end - RANGES[choice.range], end, length };
}

function query(extra) {
  const { start, end } = bounds();
  return new URLSearchParams({
    exchange: choice.exchange, pair: choice.pair, interval: choice.interval, start_ms: start, end_ms: end, ...extra,
  });
}

async function load() {
  const asked = choice;
  let body;
  try {
    const answer = await fetch(`/api/v1/candles?${query({})}`);
    body = await answer.json();
    if (!answer.ok) throw new Error(body.detail);
  } catch (error) {
    failed = true;
    note(`The history could not be read: ${error.message}`);
    return;
  }
  failed = false;
  if (asked !== choice) return;
  note(body.incomplete);
  for (const candle of body.candles) put(candle);
  ready = true;
  draw();
}

function put(candle) {
  const known = bars.get(candle.start_ms);
  if (known && known.closed && !candle.closed) return false;
  if (known && known.closed && candle.closed && known.revision > candle.revision) return false;
  bars.set(candle.start_ms, candle);
  return true;
}

function note(text) {
  const line = document.getElementById("note");
  line.hidden = !text;
  line.textContent = text || "";
}

function rows() {
  const { start, end, length } = bounds();
  const found = [];
  const first = Math.min(...[...bars.keys()].filter((at) => at >= start && at < end));
  if (!Number.isFinite(first)) return found;
  for (let at = first; at < end; at += length) found.push(bars.get(at) || { start_ms: at, missing: true });
  while (found.length && found[found.length - 1].missing) found.pop();
  return found;
}

function option() {
  const c = colours();
  const list = rows();
  const narrow = chart.getWidth() < 600;
  const left = narrow ? 54 : 78;
  const number = (text) => (text === null || text === undefined ? "-" : Number(text));
  const found = [...state.anomalies.values()].filter((a) => a.exchange === choice.exchange && a.pair === choice.pair);
  const starts = new Map(list.map((bar, at) => [bar.start_ms, at]));
  const marks = found
    .map((a) => [starts.get(Math.floor(a.exchange_time_us / 1000 / LENGTHS[choice.interval]) * LENGTHS[choice.interval]), a])
    .filter(([at]) => at !== undefined && !list[at].missing)
    .map(([at, a]) => ({ value: [at, Number(list[at].high)], name: a.rule }));
  const grid = (top, height) => ({ left, right: 12, top: `${top}%`, height: `${height}%` });
  const x = (index, label) => ({
    type: "category", gridIndex: index, data: list.map((bar) => bar.start_ms), boundaryGap: true,
    axisLabel: { show: label, color: c.quiet, formatter: (at) => clock(Number(at)) },
    axisTick: { show: label }, axisLine: { lineStyle: { color: c.line } },
  });
  const y = (index, name, pointed) => ({
    gridIndex: index, scale: true, name, nameLocation: "end", nameGap: 10,
    nameTextStyle: { color: c.quiet, align: "left", padding: [0, 0, 0, -left + 8] },
    splitNumber: pointed ? 5 : 2, axisLabel: { color: c.quiet, hideOverlap: true },
    splitLine: { lineStyle: { color: c.line } },
  });
  const line = (name, index, field, colour) => ({
    name, type: "line", xAxisIndex: index, yAxisIndex: index, showSymbol: list.length < 40, connectNulls: false,
    data: list.map((bar) => (bar.missing ? "-" : number(bar[field]))), lineStyle: { width: 1.5, color: colour },
    itemStyle: { color: colour },
  });
  return {
    animation: false,
    aria: { enabled: true, decal: { show: false } },
    backgroundColor: "transparent",
    axisPointer: { link: [{ xAxisIndex: "all" }], label: { formatter: (p) => (p.axisDimension === "x" ? moment(Number(p.value)) : String(p.value)) } },
    tooltip: { trigger: "axis", axisPointer: { type: "cross" }, formatter: (found) => tip(list[found[0].dataIndex]), backgroundColor: c.paper, borderColor: c.line, textStyle: { color: c.text } },
    grid: [grid(5, 47), grid(58, 10), grid(73, 8), grid(86, 7)],
    xAxis: [x(0, false), x(1, false), x(2, false), x(3, true)],
    yAxis: [y(0, "price", true), y(1, "volume"), y(2, "spread, bp"), y(3, "volatility, bp")],
    dataZoom: [{ type: "inside", xAxisIndex: [0, 1, 2, 3] }],
    series: [
      {
        name: "price", type: "candlestick", xAxisIndex: 0, yAxisIndex: 0,
        itemStyle: { color: "transparent", borderColor: c.up, color0: c.down, borderColor0: c.down },
        data: list.map((bar) => (bar.missing ? "-" : [bar.open, bar.close, bar.low, bar.high].map(Number))),
      },
      {
        name: "volume", type: "bar", xAxisIndex: 1, yAxisIndex: 1,
        data: list.map((bar) =>
          bar.missing ? "-" : { value: Number(bar.volume), itemStyle: { color: Number(bar.close) >= Number(bar.open) ? c.up : c.down, opacity: bar.closed ? 0.8 : 0.4 } }),
      },
      line("spread", 2, "spread_bp", c.third || c.lines[2]),
      line("volatility", 3, "volatility_bp", c.lines[3]),
      { name: "anomalies", type: "scatter", xAxisIndex: 0, yAxisIndex: 0, data: marks, symbol: "pin", symbolSize: 16, itemStyle: { color: c.lines[4] }, label: { show: true, formatter: "!", color: c.paper } },
    ],
  };
}

function tip(bar) {
  if (!bar) return "";
  const head = `<b>${moment(bar.start_ms)}</b>`;
  if (bar.missing) return `${head}<br>no bar`;
  const lines = [
    ["open", group(bar.open)], ["high", group(bar.high)], ["low", group(bar.low)], ["close", group(bar.close)],
    ["volume", group(bar.volume)], ["trades", group(bar.trade_count)], ["spread, bp", group(bar.spread_bp)],
    ["volatility, bp", group(bar.volatility_bp)], ["left out", group(bar.flagged_count)],
  ];
  return `${head}${bar.closed ? "" : " (forming)"}<br>${lines.map(([name, value]) => `${name}: ${value}`).join("<br>")}`;
}

function draw() {
  if (!chart || !ready) return;
  redrawAt = Date.now();
  chart.setOption(option());
  const list = rows();
  const missing = list.filter((bar) => bar.missing).length;
  const element = document.getElementById("chart");
  element.dataset.bars = list.length - missing;
  element.dataset.missing = missing;
  element.dataset.forming = list.filter((bar) => bar.closed === false).length;
  const last = list[list.length - 1];
  if (last) {
    document.getElementById("ohlc").textContent =
      `${clock(last.start_ms)} O ${group(last.open)} H ${group(last.high)} L ${group(last.low)} C ${group(last.close)}` +
      ` · ${last.closed ? "closed" : "forming"}${missing ? ` · ${missing} without a bar` : ""}`;
  }
}

function soon() {
  if (pending !== null) return;
  pending = setTimeout(() => {
    pending = null;
    draw();
  }, Math.max(0, redrawAt + REDRAW_MS - Date.now()));
}

function showPrice() {
  const market = state.markets.get(`${choice.exchange}|${choice.pair}`);
  if (!market) return;
  const change = signed(market.change_24h_percent, " %");
  const output = document.getElementById("last");
  output.textContent = `${group(market.last_price)}  ${change.text}`;
  output.dataset.direction = change.direction;
  output.dataset.exchangeMs = market.exchange_time_us / 1000;
}

function choose(replace) {
  choice = read();
  bars.clear();
  ready = false;
  const named = new URLSearchParams(choice);
  history[replace ? "replaceState" : "pushState"](null, "", `/chart?${named}`);
  document.title = `${choice.pair} on ${choice.exchange} · crypto-platform`;
  document.getElementById("title").textContent = `${choice.pair} on ${choice.exchange}`;
  document.getElementById("csv").href = `/api/v1/candles?${query({ format: "csv" })}`;
  document.getElementById("parquet").href = `/api/v1/candles?${query({ format: "parquet" })}`;
  showPrice();
  load();
}

drawn.then(() => {
  choice = read();
  chart = echarts.init(document.getElementById("chart"));
  new ResizeObserver(() => {
    chart.resize();
    soon();
  }).observe(document.getElementById("chart"));
  document.getElementById("choice").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("market").addEventListener("change", () => choose(false));
  // Ranges depend on the interval, so the page that fits both is asked for.
  for (const name of ["interval", "range"]) {
    document.getElementById(name).addEventListener("change", () => {
      const now = read();
      const fits = RANGES[now.range] / LENGTHS[now.interval];
      if (name === "interval" && (fits > 1500 || fits < 12)) delete now.range;
      if (name === "range") return choose(false);
      location.assign(`/chart?${new URLSearchParams(now)}`);
    });
  }
  window.addEventListener("popstate", () => location.reload());
  window.addEventListener("themechange", soon);
  window.addEventListener("zonechange", soon);
  on("frame", (body) => {
    let changed = false;
    for (const candle of body.candles) {
      if (key(candle) === key(choice) && candle.interval === choice.interval) changed = put(candle) || changed;
    }
    if (body.anomalies.length) changed = true;
    if (body.markets.some((market) => key(market) === key(choice))) showPrice();
    if (changed) soon();
  });
  // After a connection came back the stream may have skipped bars: the history is read again.
  on("snapshot", () => (ready || failed) && load());
  choose(true);
});
window.dashboard.candles = () => rows().filter((bar) => !bar.missing);
