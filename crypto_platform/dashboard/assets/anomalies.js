// The list of findings, the latest first. An acknowledgement goes to the server and comes back to every viewer.

import { drawn, on, state } from "/assets/feed.js";
import { group, moment } from "/assets/format.js";

const SHOWN = 300;

function line(finding) {
  const row = document.createElement("tr");
  row.dataset.finding = finding.id;
  row.dataset.acknowledged = finding.acknowledged;
  const cell = (text, classes) => {
    const made = document.createElement("td");
    made.textContent = text;
    made.className = classes || "";
    row.append(made);
    return made;
  };
  cell(moment(finding.exchange_time_us / 1000));
  const pair = cell("");
  const link = document.createElement("a");
  link.href = `/chart?${new URLSearchParams({ exchange: finding.exchange, pair: finding.pair })}`;
  link.textContent = finding.pair;
  pair.append(link);
  cell(finding.exchange);
  cell(finding.rule.replaceAll("_", " "));
  cell(finding.value ? finding.value.split(" / ").map(group).join(" / ") : "–", "n");
  cell(finding.score.toFixed(2), "n");
  cell(finding.threshold.toFixed(2), "n wide");
  const seen = cell(finding.acknowledged ? "✓ seen" : "");
  if (!finding.acknowledged) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Acknowledge";
    button.setAttribute("aria-label", `Acknowledge ${finding.rule} of ${finding.pair} at ${moment(finding.exchange_time_us / 1000)}`);
    button.addEventListener("click", () => {
      button.disabled = true;
      window.emitEvent("acknowledge", finding.id);
    });
    seen.append(button);
  }
  return row;
}

function show() {
  const unseen = document.getElementById("unseen").checked;
  const all = [...state.anomalies.values()];
  const found = all
    .filter((finding) => !unseen || !finding.acknowledged)
    .sort((a, b) => b.exchange_time_us - a.exchange_time_us);
  document.querySelector("#anomalies tbody").replaceChildren(...found.slice(0, SHOWN).map(line));
  const open = all.filter((finding) => !finding.acknowledged).length;
  document.getElementById("count").textContent =
    `${all.length} found, ${open} not acknowledged${found.length > SHOWN ? `, the latest ${SHOWN} shown` : ""}`;
}

drawn.then(() => {
  document.getElementById("unseen").addEventListener("change", show);
  on("frame", (body) => {
    if (body.anomalies.length) show();
  });
  window.addEventListener("zonechange", show);
  show();
});
