// Wiring: data, sides, strip, list, and the address of the page (#view=0x...-0x...&finding=2&theme=dark), which says what is shown.
const byId = (id) => document.getElementById(id);
document.documentElement.dataset.scripted = "";
byId("picture").hidden = false;
byId("drawing").open = false;

const compared = page.comparison;
const machines = (compared ? [compared.left, compared.right] : [page.scene]).map(
  (scene, side) => new Machine(scene, compared ? compared.labels[side] : scene.title || `Linux ${scene.kernel} ${scene.arch}`, side),
);
const marks = page.marks.map((mark, index) => ({ ...mark, index, ranges: mark.ranges.map(parseRange) }));
const end = Math.max(...machines.map((machine) => machine.end), ...marks.map((mark) => mark.ranges.at(-1)?.end ?? 0));
const sides = machines.map((machine) => {
  const lanes = [marksLane(marks, compared ? machine.side : null), ownersLane(machine), devicesLane(machine), blocksLane(machine), flagsLane(machine)];
  if (compared) lanes.unshift(differencesLane(compared.pairs));
  const holder = element("div", { className: "holder" });
  if (compared) holder.append(element("h2", { textContent: clean(machine.label) }));
  byId("sides").append(holder);
  return new Side(machine, lanes, holder);
});
const differences = compared ? sides[0].lanes[0].all : [];
const MARKS_LANE = compared ? 1 : 0;

let current = -1, difference = -1, due = false, hovered = null, said = "", shown = "";
const view = new View(end, changed);
const strip = new StripBar(machines, end, byId("strip"), (piece) => view.frame(piece.start, piece.end, 8 * machines[0].unit));

function changed() {
  if (due) return;
  due = true;
  requestAnimationFrame(flush);
}

// Keys may come faster than frames: each acts on what the one before it left.
function flush() {
  if (!due) return;
  due = false;
  paint();
}

function paint() {
  for (const side of sides) side.paint(view.view, view.selected?.side === side.machine.side ? view.selected : null);
  strip.paint(view.view);
  tell();
  const { start, end } = view.view;
  byId("status").textContent = `${span(start, end)}, ${size(end - start)} of ${size(view.whole.end)}; 1 pixel is ${size(Math.max(1, Math.round((end - start) / sides[0].width)))}${said ? `. ${said}` : ""}`;
  address();
  document.documentElement.dataset.ready ??= Math.round(performance.now());
}

// The readout: what the pointer is over, else what is selected, else what is in view.
function tell() {
  const selected = hovered ? null : chosen();
  const range = hovered ?? selected ?? view.view, what = hovered ? "Under the pointer" : selected ? "Selected" : "In view";
  const key = `${what} ${range.start} ${range.end}`;
  if (key === shown) return;
  shown = key;
  paintReadout(byId("readout"), machines, marks, range, what);
}

function chosen() {
  const { selected } = view;
  if (!selected) return null;
  const side = sides[selected.side];
  return side.under(side.boxes[selected.lane], selected);
}

function address() {
  const { start, end } = view.view, parts = [];
  if (start !== 0 || end !== view.whole.end) parts.push(`view=${span(start, end)}`);
  if (current >= 0) parts.push(`finding=${current + 1}`);
  if (theme !== "system") parts.push(`theme=${theme}`);
  const wanted = parts.length ? `#${parts.join("&")}` : location.pathname.split("/").at(-1);
  if (wanted === (location.hash || location.pathname.split("/").at(-1))) return;
  clearTimeout(address.timer);
  // Browsers count how often a page does this.
  address.timer = setTimeout(() => {
    try {
      history.replaceState(null, "", wanted);
    } catch {
      // Refused (a page in a frame, say): the picture works without.
    }
  }, 250);
}

function follow() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const range = /^0x[0-9a-f]+-0x[0-9a-f]+$/i.test(asked.get("view") ?? "") ? parseRange(asked.get("view")) : null;
  if (asked.get("theme")) setTheme(asked.get("theme"));
  if (/^\d+$/.test(asked.get("finding") ?? "") && marks[asked.get("finding") - 1]) choose(asked.get("finding") - 1);
  if (range && range.end > range.start) view.show(range.start, range.end);
}

// Zooms to a finding, or to one of its ranges, and opens it in the list.
function choose(index, at = null) {
  const mark = marks[index], ranges = mark.ranges;
  current = index;
  said = `${page.noun} ${index + 1} of ${marks.length}: ${clean(mark.severity)}: ${clean(mark.what)}`;
  open(index);
  if (!ranges.length) {
    said += " (it has no addresses)";
    view.selected = null;
    return changed();
  }
  const hull = { start: ranges[0].start, end: Math.max(...ranges.map((range) => range.end)) };
  const total = ranges.reduce((sum, range) => sum + range.end - range.start, 0);
  const range = at ?? (total * 4 >= hull.end - hull.start ? hull : ranges[0]);
  view.selected = { side: mark.side ?? 0, lane: MARKS_LANE, address: (at ?? ranges[0]).start, mark: index };
  view.frame(range.start, range.end, 8 * machines[mark.side ?? 0].unit);
  return changed();
}

function open(index) {
  const item = document.querySelector(`[data-mark="${index}"]`);
  if (!item) return;
  item.open = true;
  for (const each of document.querySelectorAll("[data-mark] summary[aria-current]")) each.removeAttribute("aria-current");
  item.querySelector("summary").setAttribute("aria-current", "true");
  const list = byId("findings");
  if (item.offsetTop < list.scrollTop || item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = item.offsetTop - 40;
}

function step(direction) {
  if (!marks.length) {
    said = `there is no ${page.noun}`;
    changed();
  } else choose((current + direction + marks.length + (current < 0 && direction < 0 ? 1 : 0)) % marks.length);
}

function differ(direction) {
  if (!differences.length) {
    said = compared ? "both are the same" : "there is one machine only";
    return changed();
  }
  difference = (difference + direction + differences.length + (difference < 0 && direction < 0 ? 1 : 0)) % differences.length;
  const { start, end } = differences[difference];
  said = `difference ${difference + 1} of ${differences.length}`;
  view.selected = { side: 0, lane: 0, address: start };
  view.frame(start, end, 8 * machines[0].unit);
  return changed();
}

const actions = {
  in: () => view.zoom(1 / 2),
  out: () => view.zoom(2),
  all: () => view.all(),
  back: () => view.back(),
  next: () => step(1),
  previous: () => step(-1),
  difference: () => differ(1),
  differenceBack: () => differ(-1),
  arrange: () => {
    byId("sides").dataset.arranged = beside() ? "below" : "beside";
    changed();
  },
  theme: () => {
    nextTheme();
    address();
  },
  goto: () => byId("place").focus(),
  help: () => (byId("keys").hidden = !byId("keys").hidden),
  escape: () => {
    byId("keys").hidden = true;
    said = "";
    view.select(null);
  },
};
const beside = () => getComputedStyle(byId("sides")).gridTemplateColumns.split(" ").length > 1;

listen({
  sides, strip, view, actions, flush,
  openMark: (index) => {
    current = index;
    open(index);
  },
  point: (side, hit) => {
    hovered = hit ? hit.box : null;
    tell();
  },
});
for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", actions[button.dataset.do]);
  if (compared && button.hidden) button.hidden = false;
}
for (const item of document.querySelectorAll("[data-mark]")) {
  const index = Number(item.dataset.mark);
  item.addEventListener("toggle", () => item.open && current !== index && choose(index));
  for (const code of item.querySelectorAll("code.place")) {
    const button = element("button", { type: "button", className: "place", textContent: code.textContent });
    button.addEventListener("click", () => choose(index, parseRange(button.textContent)));
    code.replaceWith(button);
  }
}
byId("goto").addEventListener("submit", (event) => {
  event.preventDefault();
  const found = find(machines, marks, byId("place").value);
  said = found ? `found ${span(found.start, found.end)}` : "not found: give an address, a range, section N, memoryN, or a device's name";
  if (found) {
    view.selected = { side: 0, lane: MARKS_LANE + 1, address: found.start };
    view.frame(found.start, found.end, 8 * machines[0].unit);
  }
  changed();
});
addCopyButtons();
help(byId("keys"));
setTheme(storedTheme());
follow();
window.addEventListener("hashchange", follow);
new ResizeObserver(changed).observe(byId("sides"));
paint();
