// Numbers, sizes and times in words, exactly as the command line has them (`progress/words.py`, `report/words.py`); a test compares both.

export const count = (number) => number.toLocaleString("en-US");

// To so many digits after the point; what lies exactly between two goes to the even one, as in Python.
const fixed = (value, digits) => {
  const scaled = value * 10 ** digits;
  const isBetween = (value * 4) % 1 === 0 && scaled % 1 === 0.5; // a quarter is exact in binary, so this is
  return (isBetween ? (2 * Math.round(scaled / 2)) / 10 ** digits : value).toFixed(digits);
};

export const size = (bytes) => {
  let value = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    // What would be rounded to 1000 is one of the next unit.
    if (value < 999.5) return `${fixed(value, unit === "B" || value >= 100 ? 0 : 1)} ${unit}`;
    value /= 1000;
  }
  return `${fixed(value, 1)} TB`;
};

export const duration = (seconds) => {
  const all = Number(fixed(seconds, 0));
  const [days, hours, minutes] = [Math.floor(all / 86400), Math.floor(all / 3600) % 24, Math.floor(all / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${all % 60} s` : `${all % 60} s`;
};

// Never all or nothing when it is not.
export const share = (part, whole) => {
  if (!part || !whole) return "0 %";
  if (part === whole) return "100 %";
  return `${fixed(Math.min(Math.max((100 * part) / whole, 0.1), 99.9), 1)} %`;
};

export const milliseconds = (seconds) => {
  if (seconds == null) return "–";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
};

export const rate = (perSecond) => (perSecond < 10 ? perSecond.toFixed(1) : perSecond.toFixed(0));

export const pace = (perSecond) => (perSecond == null ? "any" : String(Number(perSecond.toPrecision(3))));

export const moment = (iso) => iso.slice(0, 19).replace("T", " ");
