// The lanes of a picture, top to bottom. Each gives its pieces in [from, to): { start, end, css, text, said }; `known` are all of
// them, sorted, for lanes whose pieces do not depend on the zoom.
const OWNER_CSS = (owner) => (owner.kind === "device" ? `sm-device${owner.number % 4}` : `sm-${owner.kind}`);
const PLAIN = { "ram-part": "partly RAM", hole: "hole", residue: "nobody's", conflict: "in conflict", lost: "lost", empty: "not active" };
const HATCHED = new Set(["hole", "ram-offline", "hot-offline", "claim", "conflict", "lost"]);
const SEVERITIES = Object.keys(page.signs); // worst first

// What a stretch of a machine is called: { kind, css, letter, name }.
function look(machine, stretch) {
  if (stretch.kind === "claim") {
    return { kind: "claim", css: "sm-claim", letter: "-", name: `${clean(stretch.name)}, not mapped` };
  }
  if (stretch.kind) return { kind: "absent", css: "sm-absent", letter: "", name: "no section" };
  if (stretch.owner < 0) return { kind: "mixed", css: "sm-mixed", letter: "", name: "several owners" };
  const owner = machine.owners[stretch.owner];
  const name = PLAIN[owner.kind] ?? (owner.name === "System RAM" ? "RAM" : clean(owner.name));
  const offline = owner.kind.endsWith("-offline") ? " offline" : "";
  return { kind: owner.kind, css: OWNER_CSS(owner), letter: owner.key, name: name + offline };
}

// By address, and at the same address the wide one first: a narrow one that lies inside it is painted over it, to be seen. Of marks of
// the very same bytes the worst comes last, so that nothing hides it.
const known = (pieces) => {
  pieces.sort((a, b) => a.start - b.start || b.end - a.end || (b.worst ?? 0) - (a.worst ?? 0));
  const longest = pieces.reduce((most, piece) => Math.max(most, piece.end - piece.start), 0);
  return {
    all: pieces,
    *within(from, to) {
      for (let at = firstWhere(pieces, (piece) => piece.start >= from - longest); at < pieces.length; at++) {
        if (pieces[at].start >= to) return;
        if (pieces[at].end > from) yield pieces[at];
      }
    },
  };
};

function ownersLane(machine) {
  return {
    name: machine.hasMap ? "sub-sections" : "sections",
    height: 46,
    grid: machine.unit,
    *within(from, to, perPixel) {
      for (const stretch of machine.stretches(from, to, 4 * perPixel)) {
        const { kind, css, letter, name } = look(machine, stretch);
        yield { ...stretch, css, hatched: HATCHED.has(kind), letter, text: name, same: `${css} ${letter} ${name}` };
      }
    },
  };
}

function devicesLane(machine) {
  const pieces = machine.devices.map(({ start, end, owner }) => {
    const { css, letter, name } = look(machine, { owner });
    return { start, end, css, letter, text: name, owner };
  });
  for (const claim of machine.claims) {
    pieces.push({ ...claim, css: "sm-claim", hatched: true, letter: "-", text: `${clean(claim.name)}, not mapped` });
  }
  return { name: "devices", height: 20, ...known(pieces) };
}

function zoneCss(block) {
  return block.state === "online" ? `zone-${["DMA", "DMA32", "Normal", "Movable"].includes(block.zone) ? block.zone : "other"}` : "zone-offline";
}

function blockWords(machine, block) {
  const named = block.first === block.last ? `memory${block.first}` : `memory${block.first}-${block.last}`;
  const zone = block.zone ? ` ${clean(block.zone)}` : block.state === "online" ? ", several zones" : "";
  return `${named} ${clean(block.state)}${zone}${machine.nodes ? `, node ${block.node}` : ""}`;
}

function blocksLane(machine) {
  const pieces = [];
  for (const { block } of machine.rows.filter((row) => row.block)) {
    const last = pieces.at(-1)?.block;
    const alike = last && ["state", "zone", "node", "boot"].every((key) => last[key] === block[key]);
    if (alike && block.first <= last.last + 1) last.last = Math.max(last.last, block.last);
    else pieces.push({ block: { ...block } });
  }
  for (const piece of pieces) {
    const block = piece.block;
    piece.start = block.first * machine.block;
    piece.end = (block.last + 1) * machine.block;
    piece.css = zoneCss(block);
    piece.hatched = block.state !== "online";
    piece.text = blockWords(machine, block);
  }
  return { name: "blocks", height: 20, grid: machine.block, ...known(pieces) };
}

const flagLetters = (flags, of) => of.map((name) => (flags.includes(name) ? page.flags[name] : "-")).join("");

function flagsLane(machine) {
  const order = Object.keys(page.flags).filter((name) => machine.flags.includes(name));
  const pieces = [];
  for (const row of machine.rows.filter((each) => each.present)) {
    const last = pieces.at(-1), text = flagLetters(row.flags, order);
    if (last && last.end === row.start && last.flags === text) last.end = row.end;
    else pieces.push({ start: row.start, end: row.end, css: "plain", flags: text });
  }
  for (const piece of pieces) {
    const first = piece.start / machine.section, last = piece.end / machine.section - 1;
    piece.text = `${piece.flags} ${first === last ? first : `${first}-${last}`}`;
  }
  return { name: "flags", height: 20, grid: machine.section, ...known(pieces) };
}

function marksLane(marks, side) {
  const pieces = marks
    .filter((mark) => mark.side === null || side === null || mark.side === side)
    .flatMap((mark) => mark.ranges.map((range) => ({
      ...range, css: `mark-${mark.severity}`, mark: mark.index, least: 10, letter: page.signs[mark.severity],
      text: clean(`${mark.severity}: ${mark.name}`), said: clean(mark.what), worst: SEVERITIES.indexOf(mark.severity),
    })));
  return { name: `${page.noun}s`, height: 22, ...known(pieces) };
}

function differencesLane(pairs) {
  const pieces = pairs.filter((pair) => !pair.same).map((pair) => ({ ...parseRange(pair.range), css: "differs", least: 4, text: "differs" }));
  return { name: "differs", height: 14, ...known(pieces) };
}
