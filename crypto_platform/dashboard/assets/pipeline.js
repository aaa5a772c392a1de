// How the platform's parts are.

import { drawn, now, on, state } from "/assets/feed.js";
import { age, clock, group } from "/assets/format.js";

const LATE_MS = 8000;
const screen = { last: null, worst: [], newest: 0 };

function cells(id, lines) {
  const body = document.querySelector(`#${id} tbody`);
  const heads = document.querySelectorAll(`#${id} thead th`);
  body.replaceChildren(
    ...lines.map((line) => {
      const row = document.createElement("tr");
      line.forEach((value, at) => {
        const cell = document.createElement("td");
        if (value && value.href) {
          const link = document.createElement("a");
          link.href = value.href;
          link.textContent = value.text;
          cell.append(link);
        } else {
          cell.textContent = value && value.text !== undefined ? value.text : value;
          if (value && value.state) cell.dataset.state = value.state;
        }
        cell.className = heads[at].className;
        row.append(cell);
      });
      return row;
    }),
  );
}

const good = (text) => ({ text: `✓ ${text}`, state: "fresh" });
const bad = (text) => ({ text: `✕ ${text}`, state: "silent" });
const count = (value) => (value === null || value === undefined ? "unknown" : group(value));

function milliseconds(value) {
  return value === null || value === undefined ? "–" : `${group(Math.round(value))} ms`;
}

function stages(picture) {
  const list = document.getElementById("stages");
  const worst = screen.worst.length ? Math.max(...screen.worst.map(([, ms]) => ms)) : null;
  const all = [
    { name: "exchange", title: "Exchange", last_ms: 0, max_ms: null, newest_exchange_us: null },
    ...picture.stages,
    { name: "screen", title: "This screen", last_ms: screen.last, max_ms: worst, newest_exchange_us: screen.newest * 1000 || null },
  ];
  while (list.children.length < all.length) {
    const item = document.createElement("li");
    for (const part of ["title", "last", "max", "now"]) {
      const line = document.createElement("span");
      line.className = part;
      item.append(line);
    }
    list.append(item);
  }
  all.forEach((stage, at) => {
    const [title, last, max, newest] = list.children[at].children;
    list.children[at].dataset.stage = stage.name;
    title.textContent = stage.title;
    if (stage.name === "exchange") {
      last.textContent = "its own time";
      return;
    }
    last.textContent = milliseconds(stage.last_ms);
    last.dataset.ms = stage.last_ms === null ? "" : stage.last_ms;
    max.textContent = `max ${milliseconds(stage.max_ms)}`;
    if (!stage.newest_exchange_us) {
      newest.textContent = "";
      return;
    }
    // What the picture says was true when it was taken; only a picture that does not come any more grows old.
    const taken = stage.name === "screen" ? now() : picture.at_ms + Math.max(0, now() - picture.at_ms - LATE_MS);
    const ms = taken - stage.newest_exchange_us / 1000;
    newest.textContent = `newest ${age(ms)} old`;
    newest.dataset.state = ms < 2500 ? "fresh" : ms < 15000 ? "stale" : "silent";
  });
}

function show() {
  const picture = state.pipeline;
  if (!picture) return;
  document.getElementById("problems").replaceChildren(
    ...picture.problems.map((text) => Object.assign(document.createElement("li"), { textContent: `✕ ${text}` })),
  );
  stages(picture);
  cells("rates", Object.entries(picture.records_per_s).map(([name, rate]) => [name, group(rate.toFixed(1))]));
  cells("waiting", [
    ["Records the loader has not read", count(picture.loader_lag)],
    ["Records Flink has not read", count(picture.flink_lag)],
    ["Records this dashboard has not read", count(picture.dashboard_lag)],
    ["Open gaps", count(picture.gaps.open || 0)],
    ["Filled gaps", count(picture.gaps.filled || 0)],
    ["Gaps that cannot be filled", count(picture.gaps.unrecoverable || 0)],
  ]);
  cells("jobs", picture.jobs.map((job) => [
    job.url ? { href: job.url, text: job.name } : job.name,
    job.running ? good("running") : bad("not running"),
    job.checkpoint_age_s === null ? "none yet" : `${age(job.checkpoint_age_s * 1000)} ago, ${group(job.checkpoint_ms)} ms`,
  ]));
  cells("runs", picture.runs.map((run) => [
    { href: run.url, text: run.job },
    run.status === "SUCCESS" ? good(run.status.toLowerCase()) : run.status === "FAILURE" ? bad("failure") : run.status.toLowerCase(),
    run.started_s === null ? "–" : clock(run.started_s * 1000, true),
  ]));
  cells("services", picture.services.map((service) => [
    service.name,
    service.state === "RUNNING" ? good("running") : bad(service.state.toLowerCase()),
    String(service.restarts), age(service.uptime_s * 1000),
  ]));
}

drawn.then(() => {
  on("frame", (body) => {
    for (const market of body.markets) {
      const ms = market.exchange_time_us / 1000;
      screen.newest = Math.max(screen.newest, ms);
      screen.last = now() - ms;
      if (state.frames > 1) screen.worst.push([Date.now(), screen.last]);
    }
    if (body.pipeline) show();
  });
  on("tick", () => {
    screen.worst = screen.worst.filter(([at]) => Date.now() - at < 10000);
    if (state.pipeline) stages(state.pipeline);
  });
  window.addEventListener("zonechange", show);
  show();
});
