// The strip above the picture: the whole address space at a glance, and where in it the picture is.
const STRIP_ROW = 20, STRIP_COLUMNS = 160;

function rowLook(machine, row) {
  if (!row || !row.present) return row && row.claims.length ? { ...look(machine, { kind: "claim", name: row.claims[0].name }) } : look(machine, { kind: "absent" });
  const owners = new Set(row.cells.map(([index]) => index).filter((index) => machine.owners[index].kind !== "ram-part"));
  return owners.size === 1 && !row.folded ? look(machine, { owner: [...owners][0] }) : MIXED;
}

function stretchesOf(machines, end) {
  const cuts = new Set([0, end]);
  for (const machine of machines) for (const row of machine.rows) cuts.add(row.start).add(row.end);
  const edges = [...cuts].sort((a, b) => a - b);
  return edges.slice(0, -1).map((start, at) => ({
    start, end: edges[at + 1], looks: machines.map((machine) => rowLook(machine, machine.rowAt(start))),
  }));
}

class StripBar {
  constructor(machines, end, holder, go) {
    this.strip = new Strip(stretchesOf(machines, end), STRIP_COLUMNS);
    this.machines = machines;
    this.at = -1; // none yet
    this.go = go;
    this.height = machines.length * STRIP_ROW + 18;
    this.svg = shape("svg", { role: "grid", tabindex: "0", class: "strip", id: "strip-grid", height: this.height, "aria-label": "Everything, not to scale", "aria-describedby": "strip-caption" });
    holder.append(this.svg);
    this.svg.addEventListener("click", (event) => this.enter(this.strip.pieces.indexOf(this.strip.at(event.clientX - this.svg.getBoundingClientRect().left))));
  }

  // True when the key was for the strip.
  key(name) {
    const last = this.strip.pieces.length - 1;
    const to = { ArrowRight: this.at + 1, ArrowLeft: this.at - 1, Home: 0, End: last }[name];
    if (to !== undefined) {
      this.at = Math.min(Math.max(to, 0), last);
      this.paint(this.view);
    } else if (name === "Enter" || name === " ") this.enter(this.at);
    else return false;
    return true;
  }

  enter(index) {
    this.at = index;
    this.go(this.strip.pieces[index]);
    this.paint(this.view);
  }

  paint(view) {
    this.view = view;
    const strip = this.strip.resize(Math.max(this.svg.clientWidth, 80));
    const parts = this.machines.map((machine, side) => {
      const row = shape("g", { role: "row", "aria-label": clean(machine.label || "machine") });
      for (const [index, piece] of strip.pieces.entries()) row.append(this.cell(side, index, piece));
      return row;
    });
    let free = 0;
    const labels = shape("g", { "aria-hidden": "true", class: "ruler" });
    for (const piece of strip.pieces) {
      const text = place(piece.start), width = (text.length + 1) * CHAR;
      if (piece.x < free || piece.x + width > strip.width) continue;
      labels.append(shape("text", { x: piece.x.toFixed(2), y: this.height - 4 }, text));
      free = piece.x + width;
    }
    const left = strip.x(view.start), right = Math.max(strip.x(view.end), left + 3);
    const bracket = shape("rect", { x: Math.max(left, 1).toFixed(2), y: 1, width: Math.min(right - left, strip.width - 2).toFixed(2), height: this.machines.length * STRIP_ROW - 2, class: "bracket", "aria-hidden": "true" });
    this.svg.replaceChildren(...parts, labels, bracket);
    if (this.at >= 0) this.svg.setAttribute("aria-activedescendant", `strip0-${this.at}`);
  }

  cell(side, index, piece) {
    const look = piece.looks[side], frame = { x: piece.x.toFixed(2), y: side * STRIP_ROW, width: (piece.right - piece.x).toFixed(2), height: STRIP_ROW };
    const label = `${look.name}: ${span(piece.start, piece.end)}, ${size(piece.end - piece.start)}`;
    const cell = shape("g", { role: "gridcell", id: `strip${side}-${index}`, "aria-label": label, "aria-selected": index === this.at, class: "piece" });
    cell.append(shape("rect", { ...frame, class: look.css }));
    if (HATCHED.has(look.kind)) cell.append(shape("rect", { ...frame, fill: "url(#hatch)" }));
    if (look.letter && piece.right - piece.x >= 10) {
      cell.append(shape("text", { x: ((piece.x + piece.right) / 2).toFixed(2), y: side * STRIP_ROW + 14, "text-anchor": "middle", class: `${look.css}-t` }, look.letter));
    }
    if (index === this.at) cell.append(shape("rect", { ...frame, class: "cursor" }));
    return cell;
  }
}
