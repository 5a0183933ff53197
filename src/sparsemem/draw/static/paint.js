// Painting one side: an SVG grid whose rows are lanes and whose cells are the pieces in view. What is narrower than a few pixels
// goes together with its neighbours, so that a picture never has more cells than columns of pixels, however large the machine.
const GUTTER = 92, RULER = 24, LANE_GAP = 6, CHAR = 7.3, NARROW = 2;
const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

// The pieces of a lane as boxes: { start, end, x, width, ... }, low to high.
function boxes(lane, axis) {
  const found = [];
  for (const piece of lane.within(axis.start, axis.end, axis.perPixel)) {
    const x = Math.max(axis.x(piece.start), 0), right = Math.min(axis.x(piece.end), axis.width);
    const last = found.at(-1), narrow = piece.least ?? NARROW;
    if (last && piece.same && last.same === piece.same && last.end === piece.start) {
      Object.assign(last, { end: piece.end, right });
    } else if (last && right - x < narrow && last.right - last.x < narrow && x < last.x + narrow) {
      last.many = (last.many ?? 1) + 1;
      last.end = Math.max(last.end, piece.end);
      last.right = Math.max(last.right, right);
      if (piece.worst < last.worst) Object.assign(last, { css: piece.css, letter: piece.letter, worst: piece.worst, mark: piece.mark });
      else if (piece.worst === undefined && last.css !== piece.css) Object.assign(last, { css: "sm-mixed", letter: "", hatched: false });
      last.same = null;
    } else found.push({ ...piece, x, right });
  }
  for (const box of found) {
    box.width = Math.max(box.right - box.x, box.least ?? 1);
    box.x = Math.max(0, Math.min(box.x, axis.width - box.width));
    const named = box.many ? `${box.many} ${box.mark === undefined ? "stretches" : lane.name}` : [box.letter, box.text].filter(Boolean).join(" ");
    box.label = [named, box.many ? "" : box.said, `${span(box.start, box.end)}, ${size(box.end - box.start)}`].filter(Boolean).join(": ");
  }
  return found;
}

function boxText(box) {
  if (box.many) return box.width >= 12 ? String(box.letter ?? "") : "";
  const full = [box.letter, box.text].filter(Boolean).join(" ");
  if (full.length * CHAR + 6 <= box.width) return full;
  const least = (box.letter || "").length * CHAR + 2;
  return box.letter && least <= box.width ? box.letter : "";
}

function paintBox(box, id, y, height, selected) {
  const cell = shape("g", { id, role: "gridcell", "aria-label": box.label, "aria-selected": selected, class: "piece" });
  const frame = { x: box.x.toFixed(2), y, width: box.width.toFixed(2), height };
  cell.append(shape("rect", { ...frame, class: box.css }));
  if (box.hatched) cell.append(shape("rect", { ...frame, fill: "url(#hatch)" }));
  const text = boxText(box);
  if (text) {
    const middle = { x: (box.x + box.width / 2).toFixed(2), "text-anchor": "middle", class: `${box.css}-t` };
    const tall = height > 40 && !box.many;
    cell.append(shape("text", { ...middle, y: tall ? y + 18 : y + height / 2 + 4 }, text));
    const bytes = size(box.end - box.start);
    if (tall && bytes.length * CHAR + 6 <= box.width) cell.append(shape("text", { ...middle, y: y + 33 }, bytes));
  }
  return cell;
}

// Over all pieces of a lane, so that none hides it.
function cursor(box, y, height) {
  return shape("rect", { x: box.x.toFixed(2), y, width: box.width.toFixed(2), height, class: "cursor", "aria-hidden": "true" });
}

// Marks along the lower edge of a lane, where no text is.
function gridLines(axis, step, y, height, css) {
  if (step / axis.perPixel < 5) return [];
  let path = "";
  for (let at = Math.ceil(axis.start / step) * step; at < axis.end; at += step) path += `M${axis.x(at).toFixed(2)} ${y}v${height}`;
  return [shape("path", { d: path, class: css, "aria-hidden": "true" })];
}

function ruler(axis) {
  const group = shape("g", { class: "ruler", "aria-hidden": "true" });
  for (const at of axis.ticks(96)) {
    const x = axis.x(at);
    group.append(shape("path", { d: `M${x.toFixed(2)} ${RULER - 5}v5` }));
    const text = place(at), half = (text.length * CHAR) / 2;
    const middle = Math.min(Math.max(x, half), axis.width - half);
    group.append(shape("text", { x: middle.toFixed(2), y: RULER - 8, "text-anchor": "middle" }, text));
  }
  return group;
}

class Side {
  constructor(machine, lanes, holder) {
    Object.assign(this, { machine, lanes, boxes: [] });
    this.svg = shape("svg", {
      role: "grid", tabindex: "0", class: "side", id: `side${machine.side}`, "aria-describedby": "status",
      "aria-label": `Physical address space of ${clean(machine.label)}, one row for each kind of information`,
    });
    this.height = RULER + lanes.reduce((sum, lane) => sum + lane.height + LANE_GAP, 0);
    holder.append(this.svg);
  }

  get width() {
    return Math.max(this.svg.clientWidth - GUTTER, 80);
  }

  paint(view, selected) {
    const axis = (this.axis = new Axis(view, this.width));
    this.svg.setAttribute("height", this.height);
    const field = shape("g", { transform: `translate(${GUTTER} 0)` });
    field.append(ruler(axis));
    const captions = shape("g", { "aria-hidden": "true", class: "lanes" });
    let y = RULER;
    this.boxes = [];
    this.tops = [];
    let active = "";
    for (const [number, lane] of this.lanes.entries()) {
      const placed = boxes(lane, axis);
      const row = shape("g", { role: "row", "aria-label": lane.name });
      const chosen = selected && selected.lane === number ? this.under(placed, selected) : null;
      for (const [index, box] of placed.entries()) {
        box.id = `piece${this.machine.side}-${number}-${index}`;
        row.append(paintBox(box, box.id, y, lane.height, box === chosen));
        if (box === chosen) active = box.id;
      }
      if (chosen) row.append(cursor(chosen, y, lane.height));
      row.append(shape("path", { d: `M0 ${y + lane.height + 0.5}h${axis.width}`, class: "base", "aria-hidden": "true" }));
      if (lane.grid) row.append(...gridLines(axis, lane.grid, y + lane.height - 4, 4, "unit-line"));
      if (lane.grid && lane.grid < this.machine.section) row.append(...gridLines(axis, this.machine.section, y + lane.height - 8, 8, "section-line"));
      field.append(row);
      captions.append(shape("text", { x: GUTTER - 8, y: y + lane.height / 2 + 4, "text-anchor": "end" }, lane.name));
      this.boxes.push(placed);
      this.tops.push(y);
      y += lane.height + LANE_GAP;
    }
    this.svg.replaceChildren(captions, field);
    if (active) this.svg.setAttribute("aria-activedescendant", active);
    else this.svg.removeAttribute("aria-activedescendant");
  }

  // The box that is selected: the one of that very finding, else the narrowest over the address.
  under(placed, selected) {
    const over = placed.filter((box) => box.start <= selected.address && selected.address < box.end);
    const same = over.find((box) => box.mark !== undefined && box.mark === selected.mark);
    return same ?? over.sort((a, b) => a.end - a.start - (b.end - b.start))[0] ?? null;
  }

  // The lane and box at a point of the page, or null.
  pointed(event) {
    const cell = event.target.closest?.(".piece");
    if (!cell) return null;
    for (const [lane, placed] of this.boxes.entries()) {
      const box = placed.find((each) => each.id === cell.id);
      if (box) return { lane, box };
    }
    return null;
  }
}
