// One machine: the rows and owners of draw.scene.to_json, to be asked by address. Addresses are bytes, exact up to 2^53.
class Machine {
  constructor(scene, label, side) {
    this.label = label;
    this.side = side;
    this.unit = scene.unit_bytes;
    this.section = scene.section_bytes;
    this.block = scene.block_bytes;
    this.hasMap = scene.subsection_map;
    this.flags = scene.flags;
    this.owners = scene.owners.map((owner, index) => ({ ...owner, index, ranges: owner.ranges.map(parseRange) }));
    this.rows = scene.rows.map((row) => this.row(row));
    this.devices = this.owners.flatMap((owner) => owner.ranges.map((range) => ({ ...range, owner: owner.index })));
    this.devices.sort((a, b) => a.start - b.start || a.end - b.end);
    // How far before an address a device that covers it can begin.
    this.longest = this.devices.reduce((longest, each) => Math.max(longest, each.end - each.start), 0);
    this.claims = this.joined();
    this.nodes = new Set(this.rows.filter((row) => row.block).map((row) => row.block.node)).size > 1;
    this.end = this.rows.reduce((end, row) => Math.max(end, row.end), this.section);
  }

  row(json) {
    const row = { ...json, ...parseRange(json.range) };
    row.claims = json.claims.map((claim) => ({ name: claim.name, ...parseRange(claim.range) }));
    row.faults = json.faults.map((fault) => ({ ...fault, ...parseRange(fault.range) }));
    // A folded row stands for sections that differ in whose they are: its cells name the first one's owners alone.
    row.folded = row.owners.length > new Set(row.cells.map(([index]) => index)).size;
    return row;
  }

  // What nothing has mapped; rows cut it, which it is not.
  joined() {
    const found = [];
    for (const row of this.rows) {
      for (const claim of row.claims) {
        const last = found.at(-1);
        if (last && last.name === claim.name && last.end === claim.start && claim.start === row.start) last.end = claim.end;
        else found.push({ ...claim });
      }
    }
    return found;
  }

  *rowsIn(start, end) {
    for (let at = firstWhere(this.rows, (row) => row.end > start); at < this.rows.length; at++) {
      if (this.rows[at].start >= end) return;
      yield this.rows[at];
    }
  }

  rowAt(address) {
    const row = this.rows[firstWhere(this.rows, (each) => each.end > address)];
    return row && row.start <= address ? row : null;
  }

  *devicesIn(start, end) {
    const first = firstWhere(this.devices, (each) => each.start >= start - this.longest);
    for (let at = first; at < this.devices.length && this.devices[at].start < end; at++) {
      if (this.devices[at].end > start) yield this.devices[at];
    }
  }

  // Whose a unit of a folded row is: -1 where the row does not tell.
  owner(row, index, start, end) {
    if (!row.folded) return index;
    if (this.owners[index].kind !== "device") return row.cells.length > 1 || this.alone(row, index) ? index : -1;
    for (const device of this.devicesIn(start, end)) if (row.owners.includes(device.owner)) return device.owner;
    return -1;
  }

  // Is it the only owner of its kind in the row?
  alone(row, index) {
    return row.owners.filter((each) => this.owners[each].kind === this.owners[index].kind).length === 1;
  }

  // Stretches of one owner, low to high, without gaps within the rows: { start, end, owner } or { start, end, kind, name }.
  // A section whose picture would be finer than `fine` bytes is told as one stretch of kind "mixed".
  *stretches(from, to, fine) {
    for (const row of this.rowsIn(from, to)) {
      const start = Math.max(row.start, from), end = Math.min(row.end, to);
      if (!row.present) yield* this.absent(row, start, end);
      else if (row.cells.length === 1 && !row.folded) yield { start, end, owner: row.cells[0][0] };
      else if (row.cells.length === 1) yield* this.wholes(row, start, end);
      else if (row.count > 1 && this.section < fine) yield { start, end, owner: -1 };
      else yield* this.cells(row, start, end);
    }
  }

  *absent(row, start, end) {
    let at = start;
    for (const claim of row.claims) {
      if (claim.end <= at || claim.start >= end) continue;
      if (claim.start > at) yield { start: at, end: claim.start, kind: "absent" };
      const last = Math.min(claim.end, end);
      yield { start: Math.max(claim.start, at), end: last, kind: "claim", name: claim.name };
      at = last;
    }
    if (at < end) yield { start: at, end, kind: "absent" };
  }

  // Whole sections of several owners, told apart by the devices' own ranges.
  *wholes(row, start, end) {
    let at = start;
    for (const device of this.devicesIn(start, end)) {
      if (!row.owners.includes(device.owner)) continue;
      const low = Math.max(Math.floor(device.start / this.unit) * this.unit, at);
      const high = Math.min(Math.ceil(device.end / this.unit) * this.unit, end);
      if (high <= low) continue;
      if (low > at) yield { start: at, end: low, owner: -1 };
      yield { start: low, end: high, owner: device.owner };
      at = high;
    }
    if (at < end) yield { start: at, end, owner: -1 };
  }

  *cells(row, start, end) {
    let section = row.start + Math.floor((start - row.start) / this.section) * this.section;
    for (; section < end; section += this.section) {
      let at = section;
      for (const [index, units] of row.cells) {
        const next = at + units * this.unit;
        const low = Math.max(at, start), high = Math.min(next, end);
        if (low < high) yield { start: low, end: high, owner: this.owner(row, index, low, high) };
        at = next;
      }
    }
  }

  // Bytes by owner in [from, to), most first: exact, by whole sections where a row has many.
  tally(from, to) {
    const found = new Map();
    const add = (stretch, bytes) => {
      const key = stretch.kind ? `${stretch.kind} ${stretch.name ?? ""}` : stretch.owner;
      const entry = found.get(key) ?? { ...stretch, bytes: 0 };
      entry.bytes += bytes;
      found.set(key, entry);
    };
    const slowly = (start, end) => {
      for (const stretch of this.stretches(start, end, 0)) add(stretch, stretch.end - stretch.start);
    };
    for (const row of this.rowsIn(from, to)) {
      const start = Math.max(row.start, from), end = Math.min(row.end, to);
      const first = Math.ceil(start / this.section), last = Math.floor(end / this.section);
      if (!row.present || row.cells.length === 1 || last - first < 2 || (row.folded && last - first < 512)) slowly(start, end);
      else {
        for (const [index, units] of row.cells) {
          const known = !row.folded || this.owners[index].kind !== "device";
          add({ owner: known ? index : -1 }, units * this.unit * (last - first));
        }
        if (start < first * this.section) slowly(start, first * this.section);
        if (end > last * this.section) slowly(last * this.section, end);
      }
    }
    return [...found.values()].sort((a, b) => b.bytes - a.bytes);
  }
}
