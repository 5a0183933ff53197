// Addresses to pixels. `Axis` is to scale; `Strip` gives each stretch of the whole at least a sliver, the rest by logarithm.
const MIXED = { kind: "mixed", css: "sm-mixed", letter: "", name: "several owners" };
const LEAST_SPAN = 64 * KIB;

class Axis {
  constructor(view, width) {
    Object.assign(this, view, { width, perPixel: (view.end - view.start) / width });
  }

  x(address) {
    return (address - this.start) / this.perPixel;
  }

  address(x) {
    return Math.min(this.end - 1, Math.max(this.start, this.start + Math.floor(x * this.perPixel)));
  }

  // Powers of two, at least `apart` pixels from each other.
  *ticks(apart) {
    let step = 4 * KIB;
    while (step / this.perPixel < apart) step *= 2;
    for (let at = Math.ceil(this.start / step) * step; at <= this.end; at += step) yield at;
  }
}

class Strip {
  // `stretches`: { start, end, looks } without gaps, a look for each side; neighbours alike are one, and at most `columns` remain.
  constructor(stretches, columns) {
    let pieces = this.joined(stretches, (a, b) => a.looks.every((look, side) => look.css === b.looks[side].css && look.name === b.looks[side].name));
    if (pieces.length > columns) {
      const least = pieces.at(-1).end / columns;
      pieces = this.joined(pieces, (a, b) => a.end - a.start < least && b.end - b.start < least);
    }
    if (pieces.length > columns) {
      const step = Math.ceil(pieces.length / columns);
      pieces = this.joined(pieces, (a, b, index) => index % step !== 0);
    }
    const smallest = pieces.reduce((least, piece) => Math.min(least, piece.end - piece.start), Infinity);
    const weights = pieces.map((piece) => Math.floor(Math.log2((piece.end - piece.start) / smallest)) + 1);
    const total = weights.reduce((sum, weight) => sum + weight, 0), spare = columns - pieces.length;
    this.pieces = pieces;
    this.widths = weights.map((weight) => 1 + (spare * weight) / total);
    this.columns = this.widths.reduce((sum, width) => sum + width, 0);
  }

  joined(stretches, alike) {
    const found = [];
    stretches.forEach((stretch, index) => {
      const last = found.at(-1);
      if (last && alike(last, stretch, index)) {
        last.end = stretch.end;
        last.looks = last.looks.map((look, side) => (look.name === stretch.looks[side].name ? look : MIXED));
      } else found.push({ ...stretch });
    });
    return found;
  }

  resize(width) {
    this.width = width;
    let at = 0;
    for (const [index, piece] of this.pieces.entries()) {
      piece.x = at;
      at += (this.widths[index] / this.columns) * width;
      piece.right = at;
    }
    return this;
  }

  x(address) {
    const piece = this.pieces[firstWhere(this.pieces, (each) => each.end > address)];
    if (!piece) return this.width;
    return piece.x + ((piece.right - piece.x) * (address - piece.start)) / (piece.end - piece.start);
  }

  at(x) {
    return this.pieces[Math.min(firstWhere(this.pieces, (each) => each.right > x), this.pieces.length - 1)];
  }
}
