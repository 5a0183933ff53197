// What is selected or under the pointer, in words: nothing is told by pointing alone, as the keys select the same pieces.
const MOST = 8;

function some(items, words) {
  const told = items.slice(0, MOST).map(words);
  if (items.length > MOST) told.push(`and ${NUMBERS.format(items.length - MOST)} more`);
  return told;
}

function ownerWords(machine, entry) {
  const { letter, name, kind } = look(machine, entry);
  const owner = entry.owner >= 0 ? machine.owners[entry.owner] : null;
  const parts = [`${letter ? `${letter} ` : ""}${name}: ${size(entry.bytes)}`];
  if (owner && owner.detail) parts.push(clean(owner.detail));
  if (owner && owner.ranges.length) parts.push(`its own bytes ${owner.ranges.slice(0, 3).map((r) => span(r.start, r.end)).join(", ")}`);
  if ((!owner || owner.kind !== "device") && page.kinds[kind] !== name) parts.push(page.kinds[kind]);
  return parts.join("; ");
}

function unitWords(machine, start, end) {
  const first = Math.floor(start / machine.section), last = Math.ceil(end / machine.section) - 1;
  if (first !== last) return `${first}-${last} (${count(last - first + 1, "section")} of ${size(machine.section)})`;
  if (!machine.hasMap) return `${first}; this kernel has no sub-section map`;
  const from = Math.floor((start - first * machine.section) / machine.unit);
  const to = Math.ceil((end - first * machine.section) / machine.unit) - 1;
  return `${first}, sub-section${from === to ? "" : "s"} ${from === to ? from : `${from}-${to}`} of ${machine.section / machine.unit}`;
}

// [term, lines] for bytes [start, end) of one machine.
function describe(machine, marks, start, end) {
  const rows = [...machine.rowsIn(start, end)], present = rows.filter((row) => row.present);
  const distinct = (lines) => [...new Set(lines)];
  const facts = [["owner", some(machine.tally(start, end), (entry) => ownerWords(machine, entry))]];
  facts.push(["section", [unitWords(machine, start, end)]]);
  const flags = distinct(present.map((row) => row.flags.join(" | ")));
  facts.push(["flags", present.length ? some(flags, (each) => each) : ["none: no section here"]]);
  const blocks = present.filter((row) => row.block).map((row) => blockAt(machine, row.block, start, end));
  facts.push(["memory block", blocks.length ? some(distinct(blocks.map((block) => blockWords(machine, block))), (each) => each) : ["none"]]);
  const devices = [...machine.devicesIn(start, end)].map((device) => device.owner);
  const several = distinct(devices);
  if (several.length > 1) facts.push(["devices here", some(several, (index) => clean(machine.owners[index].name))]);
  const notes = distinct(rows.flatMap((row) => row.notes));
  if (notes.length) facts.push(["remarks", some(notes, clean)]);
  const here = marks.filter((mark) => (mark.side === null || mark.side === machine.side) && mark.ranges.some((r) => r.start < end && start < r.end));
  if (here.length) facts.push([`${page.noun}s`, some(here, (mark) => clean(`${mark.severity}: ${mark.name}: ${mark.what}`))]);
  return facts;
}

// The part of a run of blocks that [start, end) touches.
function blockAt(machine, block, start, end) {
  const first = Math.max(block.first, Math.floor(start / machine.block));
  return { ...block, first, last: Math.max(first, Math.min(block.last, Math.ceil(end / machine.block) - 1)) };
}

// `range` is { start, end }; `said` what it is: selected, under the pointer, or all that is in view.
function paintReadout(holder, machines, marks, range, said) {
  const where = `${span(range.start, range.end)} (${size(range.end - range.start)})`;
  holder.replaceChildren(element("h2", {}, `${said}: `, element("code", { textContent: where })));
  const columns = element("div", { className: "columns" });
  for (const machine of machines) {
    const list = element("dl");
    for (const [term, lines] of describe(machine, marks, range.start, range.end)) {
      list.append(element("dt", { textContent: term }), ...lines.map((line) => element("dd", { textContent: line })));
    }
    const column = element("div");
    if (machines.length > 1) column.append(element("h3", { textContent: clean(machine.label) }));
    column.append(list);
    columns.append(column);
  }
  holder.append(columns);
}
