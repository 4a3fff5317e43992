// Keys, and forms that show the fields of the chosen kind of turn. Pages work without it.
"use strict";
const all = (what, inside = document) => [...inside.querySelectorAll(what)];
const help = document.getElementById("help");
const keysOn = document.getElementById("keys-on");
const turns = all("main > .turns > .turn");
const focusedTurn = () => document.activeElement?.closest?.(".turns > .turn[id]");

if (help) {
  const button = document.getElementById("help-button");
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());
  keysOn.checked = sessionStorage.getItem("keys") !== "off";
  keysOn.addEventListener("change", () => sessionStorage.setItem("keys", keysOn.checked ? "on" : "off"));
}

function move(step) {
  const at = turns.indexOf(focusedTurn());
  const next = turns[Math.min(Math.max(at + step, 0), turns.length - 1)];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

const follow = (what) => (focusedTurn()?.querySelector(what) ?? document.querySelector(`main .turn ${what}`))?.click();

function fold() {
  const found = all("details", focusedTurn() ?? document.querySelector("main"));
  const open = !found.some((one) => one.open);
  for (const one of found) one.open = open;
}

const actions = {
  j: () => move(1),
  k: () => move(-1),
  e: () => follow(".edit"),
  i: () => follow(".add"),
  r: fold,
  ArrowRight: () => document.querySelector("[rel=next]")?.click(),
  ArrowLeft: () => document.querySelector("[rel=prev]")?.click(),
};

document.addEventListener("keydown", (event) => {
  const form = document.querySelector(".edit-turn");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form) {
    event.preventDefault();
    form.requestSubmit(form.querySelector("[value=save]"));
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat || help?.open) return;
  if (event.key === "Escape" && form) {
    document.getElementById("leave").click();
    return;
  }
  const typing = event.target.closest("input, textarea, select");
  if (typing || (keysOn && !keysOn.checked && event.key !== "?")) return;
  const target = all("[data-key]").find((one) => one.dataset.key === event.key && !one.disabled);
  if (!target && !actions[event.key]) return;
  event.preventDefault();
  if (target) target.click();
  else actions[event.key]();
});

const tool = document.getElementById("tool");
if (tool) {
  const choose = () => {
    const isCall = tool.value !== "";
    for (const field of all("[data-for]")) field.hidden = (field.dataset.for === "call") !== isCall;
    for (const one of all("[data-tool]")) one.open = one.dataset.tool === tool.value;
  };
  tool.addEventListener("change", choose);
  choose();
}

// What was written and not saved is not left without a question.
let unsaved = Boolean(tool && document.querySelector("[data-focus]"));
document.querySelector(".edit-turn")?.addEventListener("input", () => (unsaved = true));
addEventListener("beforeunload", (event) => unsaved && event.preventDefault());

// Two quick presses send one decision.
for (const form of all("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    unsaved = false;
  });
}
addEventListener("pageshow", (event) => event.persisted && location.reload());

const place = location.hash && document.getElementById(location.hash.slice(1));
const first = document.querySelector("[data-focus]") ?? (tool ? (tool.value ? document.getElementById("arguments") : document.getElementById("text")) : place || document.querySelector("h1"));
first?.focus({ preventScroll: !place && !document.querySelector("[data-focus]") && !tool });
