// Keys, pointer and wheel. COMMANDS is both what the keys do and what the help says of them.
const COMMANDS = [
  { keys: ["ArrowLeft", "ArrowRight"], name: "\u2190 \u2192", says: "the stretch before or after, in the same row", inside: true },
  { keys: ["ArrowUp", "ArrowDown"], name: "\u2191 \u2193", says: "the row above or below: findings, sub-sections, devices, blocks, flags", inside: true },
  { keys: ["Shift+ArrowLeft", "Shift+ArrowRight", "PageUp", "PageDown"], name: "Shift+\u2190 Shift+\u2192, PageUp PageDown", says: "move by half of what is shown", inside: true },
  { keys: ["Home", "End"], name: "Home End", says: "the first or last stretch that is shown", inside: true },
  { keys: ["Enter"], name: "Enter", says: "zoom to the selected stretch", inside: true },
  { keys: ["+", "="], name: "+", says: "zoom in, about what is selected", action: "in" },
  { keys: ["-", "_"], name: "-", says: "zoom out", action: "out" },
  { keys: ["0"], name: "0", says: "show everything", action: "all" },
  { keys: ["Backspace"], name: "Backspace", says: "what was shown before", action: "back" },
  { keys: ["n"], name: "n", says: "next finding", action: "next" },
  { keys: ["p"], name: "p", says: "previous finding", action: "previous" },
  { keys: ["d"], name: "d", says: "next difference (of two machines)", action: "difference" },
  { keys: ["D"], name: "Shift+d", says: "previous difference", action: "differenceBack" },
  { keys: ["s"], name: "s", says: "two machines beside or below each other", action: "arrange" },
  { keys: ["t"], name: "t", says: "theme: as the system, light, dark", action: "theme" },
  { keys: ["g", "/"], name: "g", says: "go to an address, a section, a block or a device by name", action: "goto" },
  { keys: ["?"], name: "?", says: "show or hide these keys", action: "help" },
  { keys: ["Escape"], name: "Escape", says: "hide the keys, select nothing, leave \"go to\"", action: "escape" },
];

function help(holder) {
  const rows = COMMANDS.map(({ name, says }) => element("tr", {}, element("th", { scope: "row" }, element("kbd", { textContent: name })), element("td", { textContent: says.replaceAll("finding", page.noun) })));
  holder.replaceChildren(element("table", {}, element("tbody", {}, ...rows)));
}

// `app`: { sides, strip, view, actions, flush, openMark, point }.
function listen(app) {
  const root = document.getElementById("app");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target, focused = target !== document.body && target !== document.documentElement;
    if (focused && !root.contains(target)) return;
    if (target.matches?.("input")) {
      if (event.key === "Escape") app.sides[0].svg.focus();
      return;
    }
    app.flush();
    const side = app.sides.find((each) => each.svg === target);
    const done = (target === app.strip.svg && app.strip.key(event.key)) || (side && inside(app, side, event)) || global(app, event.key);
    if (done) event.preventDefault();
  });
  for (const side of app.sides) point(app, side);
}

function global(app, key) {
  const command = COMMANDS.find((each) => each.action && each.keys.includes(key));
  if (!command) return false;
  app.actions[command.action]();
  return true;
}

function inside(app, side, event) {
  const { view } = app, mine = view.selected?.side === side.machine.side ? view.selected : null;
  const lane = mine ? mine.lane : side.lanes.findIndex((each) => each.grid === side.machine.unit);
  const placed = side.boxes[lane];
  const box = mine ? side.under(placed, mine) : null;
  const to = (piece) => piece && view.into(side, lane, piece);
  const horizontal = event.shiftKey ? null : { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const half = { PageUp: -0.5, PageDown: 0.5, ArrowLeft: -0.5, ArrowRight: 0.5 }[event.key];
  const vertical = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (horizontal) view.step(side, lane, horizontal);
  else if (vertical) otherLane(view, side, mine, lane, vertical);
  else if (half) view.pan(half);
  else if (event.key === "Home") to(placed[0]);
  else if (event.key === "End") to(placed.at(-1));
  else if (event.key === "Enter" && box) view.frame(box.start, box.end, 8 * side.machine.unit);
  else return event.key === "Enter";
  return true;
}

function otherLane(view, side, mine, lane, direction) {
  const next = mine ? lane + direction : lane;
  if (next < 0 || next >= side.lanes.length) return;
  const address = mine ? Math.min(Math.max(mine.address, view.view.start), view.view.end - 1) : Math.floor(view.middle());
  view.select({ side: side.machine.side, lane: next, address });
}

function point(app, side) {
  const { view } = app, svg = side.svg;
  let drag = null;
  const address = (event) => side.axis.address(event.clientX - svg.getBoundingClientRect().left - GUTTER);
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = { x: event.clientX, start: view.view.start, end: view.view.end, moved: false, hit: side.pointed(event) };
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!drag) return app.point(side, side.pointed(event));
    const by = event.clientX - drag.x;
    if (!drag.moved && Math.abs(by) < 4) return null;
    const bytes = by * ((drag.end - drag.start) / side.width), remember = !drag.moved;
    drag.moved = true;
    return view.show(drag.start - bytes, drag.end - bytes, remember);
  });
  svg.addEventListener("pointerup", (event) => {
    const hit = drag && !drag.moved ? drag.hit : null;
    drag = null;
    if (hit) view.select({ side: side.machine.side, lane: hit.lane, address: Math.max(hit.box.start, Math.min(address(event), hit.box.end - 1)), mark: hit.box.mark });
    if (hit && hit.box.mark !== undefined) app.openMark(hit.box.mark);
  });
  svg.addEventListener("pointercancel", () => (drag = null));
  svg.addEventListener("pointerleave", () => app.point(side, null));
  svg.addEventListener("dblclick", (event) => view.zoom(1 / 4, address(event)));
  svg.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) view.zoom(2 ** (Math.sign(event.deltaY) / 2), address(event), false);
    else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) view.pan(Math.sign(sideways) / 10, false);
    else return;
    event.preventDefault();
  }, { passive: false });
}
