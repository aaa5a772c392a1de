// How values read. Numbers stay the decimal texts that the API sends; only separators and signs are added.

export function group(text) {
  if (text === null || text === undefined) return "–";
  const [whole, fraction] = String(text).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

// At most `places` decimals, for columns where more would say nothing; the full number is in the API.
export function short(text, places) {
  if (text === null || text === undefined) return "–";
  const [whole, fraction = ""] = String(text).split(".");
  const kept = fraction.slice(0, places);
  return group(kept ? `${whole}.${kept}` : whole);
}

export function signed(text, unit) {
  if (text === null || text === undefined) return { text: "–", direction: 0 };
  const direction = Math.sign(Number(text));
  const sign = direction > 0 ? "▲ +" : direction < 0 ? "▼ −" : "● ";
  return { text: `${sign}${group(String(text).replace(/^-/, ""))}${unit}`, direction };
}

export function age(ms) {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 0) return "0.0 s";
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3600000) return `${Math.floor(ms / 60000)} min ${Math.floor((ms % 60000) / 1000)} s`;
  return `${Math.floor(ms / 3600000)} h ${Math.floor((ms % 3600000) / 60000)} min`;
}

export const zone = {
  get local() {
    return localStorage.getItem("zone") === "local";
  },
  toggle() {
    localStorage.setItem("zone", this.local ? "utc" : "local");
    window.dispatchEvent(new Event("zonechange"));
  },
  get name() {
    return this.local ? Intl.DateTimeFormat().resolvedOptions().timeZone : "UTC";
  },
};

const formats = new Map();

function format(options) {
  const key = JSON.stringify([options, zone.local]);
  if (!formats.has(key)) {
    const named = zone.local ? options : { ...options, timeZone: "UTC" };
    formats.set(key, new Intl.DateTimeFormat("en-GB", named));
  }
  return formats.get(key);
}

// Only labels change with the zone, never the data: an hour that a summer time repeats stays two hours.
export function clock(ms, seconds) {
  const options = { hour: "2-digit", minute: "2-digit", hour12: false };
  return format(seconds ? { ...options, second: "2-digit" } : options).format(ms);
}

export function moment(ms) {
  const options = { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  return format({ ...options, hour12: false }).format(ms);
}
