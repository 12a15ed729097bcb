
"use strict";
// Each module is [name, microseconds of itself, microseconds with all that it imports, modules that it imports].
const BAR_HEIGHT = 20, MIN_WIDTH = 1.5;
const graph = document.getElementById("graph"), details = document.getElementById("details");
const search = document.getElementById("search"), found = document.getElementById("found");

function read([name, own, total, children], start, parent) {
  const node = { name, own, total, start, parent, level: parent ? parent.level + 1 : 0, children: [], element: null };
  for (const child of children) {
    node.children.push(read(child, start, node));
    start += child[2];
  }
  return node;
}

const root = read(JSON.parse(document.getElementById("imports").textContent), 0, null);
const nodes = [];
for (const pending = [root]; pending.length;) {
  const node = pending.pop();
  nodes.push(node);
  pending.push(...node.children);
}
let zoomed = root, current = root;

const milliseconds = (time) => `${(time / 1000).toFixed(time < 10000 ? 2 : 1)} ms`;
const share = (time) => `${(100 * time / Math.max(root.total, 1)).toFixed(1)} %`;

function describe(node) {
  const itself = node === root ? "" : `, itself ${milliseconds(node.own)} (${share(node.own)})`;
  return `${node.name}: ${milliseconds(node.total)} (${share(node.total)}) with all that it imports${itself}`;
}

function hue(name) {
  let hash = 0;
  for (const character of name.split(".")[0]) hash = (hash * 31 + character.codePointAt(0)) % 360;
  return hash;
}

function contains(outer, inner) {
  while (inner && inner !== outer) inner = inner.parent;
  return inner === outer;
}

function element(node) {
  const bar = document.createElement("div");
  bar.setAttribute("role", "treeitem");
  bar.setAttribute("aria-level", node.level + 1);
  bar.setAttribute("aria-label", describe(node));
  bar.textContent = node.name;
  bar.title = describe(node);
  bar.style.top = `${node.level * BAR_HEIGHT}px`;
  bar.style.setProperty("--hue", hue(node.name));
  bar.classList.toggle("all", node === root);
  bar.addEventListener("click", () => { select(node); zoom(node); });
  bar.addEventListener("focus", () => select(node));
  bar.addEventListener("pointerenter", () => { details.textContent = describe(node); });
  return bar;
}

function draw() {
  const width = graph.clientWidth, text = search.value.trim().toLowerCase();
  let depth = 0, count = 0;
  for (const node of nodes) {
    const isAbove = node !== zoomed && contains(node, zoomed);
    const left = isAbove ? 0 : (node.start - zoomed.start) / Math.max(zoomed.total, 1);
    const part = isAbove ? 1 : node.total / Math.max(zoomed.total, 1);
    const isFound = text !== "" && node !== root && node.name.toLowerCase().includes(text);
    count += isFound;
    const isVisible = isAbove || node === zoomed || (contains(zoomed, node) && part * width >= MIN_WIDTH);
    if (!isVisible) {
      if (node.element) node.element.remove();
      node.element = null;
      continue;
    }
    if (!node.element) graph.append(node.element = element(node));
    depth = Math.max(depth, node.level + 1);
    node.element.style.left = `${100 * left}%`;
    node.element.style.width = `${100 * part}%`;
    node.element.classList.toggle("above", isAbove);
    node.element.classList.toggle("narrow", part * width < 12);
    node.element.classList.toggle("found", isFound);
    node.element.setAttribute("aria-selected", node === current);
    node.element.tabIndex = node === current ? 0 : -1;
  }
  graph.style.height = `${depth * BAR_HEIGHT}px`;
  found.textContent = text === "" ? "" : `${count} ${count === 1 ? "module" : "modules"} found`;
}

function select(node) {
  if (current.element) { current.element.tabIndex = -1; current.element.setAttribute("aria-selected", false); }
  current = node;
  if (node.element) { node.element.tabIndex = 0; node.element.setAttribute("aria-selected", true); }
  details.textContent = describe(node);
}

function zoom(node) {
  zoomed = node;
  if (!contains(zoomed, current) && !contains(current, zoomed)) current = zoomed;
  draw();
  if (current.element && graph.contains(document.activeElement)) current.element.focus();
}

function neighbour(key) {
  const visible = (node) => node && node.element ? node : null;
  const level = () => nodes.filter((node) => node.element && node.level === current.level).sort((a, b) => a.start - b.start);
  if (key === "ArrowDown") return current.children.filter(visible).sort((a, b) => b.total - a.total)[0];
  if (key === "ArrowUp") return visible(current.parent);
  if (key === "Home") return root;
  const row = level(), position = row.indexOf(current);
  return key === "ArrowRight" ? row[position + 1] : key === "ArrowLeft" ? row[position - 1] : null;
}

graph.addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") zoom(current);
  else if (event.key === "Escape") zoom(zoomed.parent || root);
  else if (["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home"].includes(event.key)) {
    const next = neighbour(event.key);
    if (next) { select(next); next.element.focus(); }
  } else return;
  event.preventDefault();
});
document.getElementById("all").addEventListener("click", () => zoom(root));
search.addEventListener("input", draw);
search.form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("resize", draw);
details.textContent = describe(root);
draw();
