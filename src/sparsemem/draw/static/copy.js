// A button beside each command that copies it, and one for all of a list. What is copied is the text that is read.
async function copied(text, holder) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Refused, or not there: select it, so that the reader's own key copies it.
    getSelection().selectAllChildren(holder);
    return false;
  }
}

function copyButton(name, label, textOf, holder) {
  const button = element("button", { type: "button", className: "copy", textContent: name, "aria-label": label });
  let timer = 0;
  button.addEventListener("click", async () => {
    const done = await copied(textOf(), holder);
    button.textContent = done ? "copied" : "selected";
    button.setAttribute("aria-label", `${button.textContent}: ${label}`);
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = name;
      button.setAttribute("aria-label", label);
    }, 2000);
  });
  return button;
}

function addCopyButtons() {
  for (const code of document.querySelectorAll("code[data-copy]")) code.after(copyButton("copy", `copy: ${code.textContent}`, () => code.textContent, code));
  for (const list of document.querySelectorAll("ol.commands")) {
    const codes = [...list.querySelectorAll("code")];
    if (codes.length < 2 || codes.some((code) => !("copy" in code.dataset))) continue;
    const name = `copy all ${NUMBERS.format(codes.length)}`;
    if (list.previousElementSibling?.tagName === "H2") list.previousElementSibling.classList.add("beside");
    list.before(copyButton(name, `${name} commands`, () => codes.map((code) => `${code.textContent}\n`).join(""), list));
  }
}
