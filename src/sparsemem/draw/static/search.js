// "go to": an address, a range, a section, a memory block or the name of a device -> { start, end }, or null.
function find(machines, marks, text) {
  const wanted = text.trim();
  const range = /^(?:\[mem )?(?:0x)?([0-9a-f]+) *- *(?:0x)?([0-9a-f]+)\]?$/i.exec(wanted);
  if (range && parseInt(range[2], 16) >= parseInt(range[1], 16)) return parseRange(`${range[1]}-${range[2]}`);
  const { section, block } = machines[0];
  const numbered = /^(section|memory) ?(\d+)$/i.exec(wanted);
  if (numbered) {
    const unit = numbered[1].toLowerCase() === "section" ? section : block;
    return { start: numbered[2] * unit, end: (Number(numbered[2]) + 1) * unit };
  }
  const sized = /^(\d+(?:\.\d+)?) ?([kmgtp])i?b?$/i.exec(wanted);
  const plain = /^(?:0x[0-9a-f]+|[0-9a-f]{6,})$/i.exec(wanted);
  const address = sized ? Number(sized[1]) * KIB ** ("kmgtp".indexOf(sized[2].toLowerCase()) + 1) : plain ? parseInt(wanted, 16) : NaN;
  if (!Number.isNaN(address)) {
    const start = Math.floor(address / section) * section;
    return { start, end: start + section };
  }
  return named(machines, marks, wanted.toLowerCase());
}

function named(machines, marks, wanted) {
  if (!wanted) return null;
  // What the machines have comes before what is marked in them.
  const groups = machines.map((machine) => [...machine.owners.filter((owner) => owner.ranges.length).map((owner) => ({ name: owner.name, ...owner.ranges[0] })), ...machine.claims]);
  groups.push(marks.filter((mark) => mark.ranges.length).map((mark) => ({ name: mark.name, ...mark.ranges[0] })));
  for (const exact of [true, false]) {
    for (const things of groups) {
      const hit = things.find(({ name }) => (exact ? name.toLowerCase() === wanted : name.toLowerCase().includes(wanted)));
      if (hit) return { start: hit.start, end: hit.end };
    }
  }
  return null;
}
