// What is shown and what is selected. Every key and button is one of these; `changed` is called after each.
class View {
  constructor(end, changed) {
    this.whole = { start: 0, end };
    this.view = { ...this.whole };
    this.selected = null; // { side, lane, address, mark }
    this.past = [];
    this.changed = changed;
  }

  get span() {
    return this.view.end - this.view.start;
  }

  show(start, end, remember = true) {
    const most = this.whole.end;
    let width = Math.min(Math.max(Math.round(end - start), Math.min(LEAST_SPAN, most)), most);
    const from = Math.min(Math.max(Math.round(start), 0), most - width);
    if (from === this.view.start && width === this.span) return;
    if (remember) {
      this.past.push(this.view);
      if (this.past.length > 200) this.past.shift();
    }
    this.view = { start: from, end: from + width };
    this.changed();
  }

  // So that `start` to `end` fill most of the width and a little of what is around is seen.
  frame(start, end, least) {
    const width = Math.max((end - start) * 1.5, least), middle = (start + end) / 2;
    this.show(middle - width / 2, middle + width / 2);
  }

  // `about` stays where it is.
  zoom(factor, about = null, remember = true) {
    const fixed = about ?? this.middle();
    const share = (fixed - this.view.start) / this.span;
    const width = Math.min(Math.max(this.span * factor, Math.min(LEAST_SPAN, this.whole.end)), this.whole.end);
    this.show(fixed - width * share, fixed - width * share + width, remember);
  }

  middle() {
    const at = this.selected?.address;
    return at !== undefined && at >= this.view.start && at < this.view.end ? at : (this.view.start + this.view.end) / 2;
  }

  pan(share, remember = true) {
    this.show(this.view.start + this.span * share, this.view.end + this.span * share, remember);
  }

  all() {
    this.show(this.whole.start, this.whole.end);
  }

  back() {
    const last = this.past.pop();
    if (last) this.show(last.start, last.end, false);
  }

  select(selected) {
    this.selected = selected;
    this.changed();
  }

  // The next piece of a lane to the right (1) or left (-1); the picture moves along where it lies outside.
  step(side, lane, direction) {
    const placed = side.boxes[lane];
    const at = this.selected && this.selected.lane === lane ? placed.indexOf(side.under(placed, this.selected)) : -1;
    if (at < 0) return placed.length ? this.into(side, lane, direction > 0 ? placed[0] : placed.at(-1)) : this.beyond(side, lane, direction, this.middle());
    const next = placed[at + direction];
    if (next) return this.into(side, lane, next);
    return this.beyond(side, lane, direction, direction > 0 ? placed[at].end : placed[at].start - 1);
  }

  into(side, lane, box) {
    this.select({ side: side.machine.side, lane, address: Math.max(box.start, this.view.start), mark: box.mark });
  }

  // Past the edge: to the next known piece, or on by most of the width where a lane has pieces everywhere.
  beyond(side, lane, direction, address) {
    if (address < 0 || address >= this.whole.end) return;
    const all = side.lanes[lane].all;
    let target = address;
    if (all) {
      const after = all.find((piece) => piece.start >= address), before = all.findLast((piece) => piece.end - 1 <= address);
      const found = direction > 0 ? after : before;
      if (!found) return;
      target = direction > 0 ? found.start : found.end - 1;
      this.selected = { side: side.machine.side, lane, address: target, mark: found.mark };
    } else this.selected = { side: side.machine.side, lane, address };
    if (target < this.view.start || target >= this.view.end) {
      const lead = this.span * (direction > 0 ? 0.25 : 0.75);
      this.show(target - lead, target - lead + this.span, false);
    }
    this.changed();
  }
}
