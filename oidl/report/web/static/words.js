// Numbers, sizes and times in words, as the command line has them.

export const count = (number) => number.toLocaleString("en-US");

export const size = (bytes) => {
  let value = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1000) return `${unit === "B" || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
};

export const duration = (seconds) => {
  const all = Math.round(seconds);
  const [days, hours, minutes] = [Math.floor(all / 86400), Math.floor(all / 3600) % 24, Math.floor(all / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${all % 60} s` : `${all % 60} s`;
};

// Never all or nothing when it is not.
export const share = (part, whole) => {
  if (!part || !whole) return "0 %";
  if (part === whole) return "100 %";
  return `${Math.min(Math.max((100 * part) / whole, 0.1), 99.9).toFixed(1)} %`;
};

export const milliseconds = (seconds) => {
  if (seconds == null) return "–";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
};

export const rate = (perSecond) => (perSecond < 10 ? perSecond.toFixed(1) : perSecond.toFixed(0));

export const moment = (iso) => iso.slice(0, 19).replace("T", " ");
