// Numbers and names as the rest of the program writes them.
const KIB = 1024, MIB = KIB ** 2, GIB = KIB ** 3, TIB = KIB ** 4, PIB = KIB ** 5;
const UNITS = [[PIB, "PiB"], [TIB, "TiB"], [GIB, "GiB"], [MIB, "MiB"], [KIB, "KiB"]];

// A formatter is costly to make, and every label has numbers.
const NUMBERS = new Intl.NumberFormat("en");

const hex = (address) => `0x${address.toString(16)}`;
const span = (start, end) => `${hex(start)}-${hex(end - 1)}`;
const count = (number, word) => `${NUMBERS.format(number)} ${word}${number === 1 ? "" : "s"}`;

// Exact, or to two decimals; never a rounded "2.00 GiB".
function size(bytes) {
  for (const [unit, name] of UNITS) {
    if (bytes < unit) continue;
    if (bytes % unit === 0) return `${NUMBERS.format(bytes / unit)} ${name}`;
    const rounded = (bytes / unit).toFixed(2);
    if (!rounded.endsWith(".00")) return `${rounded} ${name}`;
  }
  return `${NUMBERS.format(bytes)} bytes`;
}

// An address in the fewest characters that are exact: 4G, 12160M, 0x9f000.
function place(address) {
  if (address === 0) return "0";
  for (const [unit, letter] of [[TIB, "T"], [GIB, "G"], [MIB, "M"]]) {
    if (address % unit === 0) return `${address / unit}${letter}`;
  }
  return hex(address);
}

// Names come from machines: what a reader cannot see, or what turns the text around, is shown as a question mark.
const clean = (text) => String(text).replace(/[\p{C}\p{M}\p{Zl}\p{Zp}]/gu, "?");

function parseRange(text) {
  const [start, last] = text.split("-");
  return { start: parseInt(start, 16), end: parseInt(last, 16) + 1 };
}

// The first index at which `test(items[index])` holds; `test` is false, then true.
function firstWhere(items, test) {
  let low = 0, high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(items[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

const page = JSON.parse(document.getElementById("sparsemem-data").textContent);
