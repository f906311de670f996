/* Draws the page of a build from its data:
 *   name, kind, ctx, chunk; report: what `report --json` prints
 *   nodes: ops in the order of the design (id, kind, name, die, ii, latency,
 *     cost, text, place; kernels: label, schedule, repeat; transfers: channel,
 *     channels; converters: bytes)
 *   step: one token. cycles, bins of per_bin cycles; processes (node, side,
 *     beats, waits in cycles, and busy, input, output: a share a bin), edges
 *     (streams: from, to, type, depth, fill, empty and full: cycles that an end
 *     waited), channels (use: share of the peak a bin)
 *   certificate: ok, text */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const DIGITS =
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const shareOf = c => DIGITS.indexOf(c) / 63;
const step = data.step, report = data.report;

const make = (tag, attributes, ...children) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
  e.append(...children);
  return e;
};
const draw = (tag, attributes, text) => {
  const e = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
};
const number = n => Number(n).toLocaleString("en", { maximumFractionDigits: 1 });
const bytes = n => n < 1e4 ? `${number(n)} B` : n < 1e7 ? `${number(n / 1e3)} kB` :
  `${number(n / 1e6)} MB`;
const percent = x => `${(100 * x).toFixed(1)} %`;
const time = cycles => {
  const us = cycles / report.clock_mhz;
  return us < 1000 ? `${us.toFixed(us < 10 ? 2 : 1)} us` : `${(us / 1000).toFixed(3)} ms`;
};
const short = (s, n) => s.length > n ? "..." + s.slice(s.length - n + 3) : s;

/* ---- the data, joined ------------------------------------------------------ */

const nodeOf = new Map(data.nodes.map(n => [n.id, n]));
const edges = step.edges;
for (const n of data.nodes) { n.processes = []; n.in = []; n.out = []; }
for (const p of step.processes) nodeOf.get(p.node).processes.push(p);
for (const e of edges) { nodeOf.get(e.from).out.push(e); nodeOf.get(e.to).in.push(e); }
const isTransfer = n => n.kind === "load" || n.kind === "store" || n.kind === "bundle";
for (const n of data.nodes) {
  n.busy = Math.max(0, ...n.processes.map(p => p.beats * n.ii / step.cycles));
  n.parameter = n.in.map(e => nodeOf.get(e.from).kind === "bundle" ||
    nodeOf.get(e.from).kind === "load" ? e.name || nodeOf.get(e.from).name : "")
    .find(s => s) || "";
  n.place = (n.place || "").replace(/^.*[/]site-packages[/]/, "");
  n.title = n.kind === "kernel" ? n.label : n.kind === "fork" ? "fork" : n.kind;
}
/* What stands among kernels of the layers only, belongs to them. */
function spreadRepeat() {
  const side = n => [...n.in.map(e => nodeOf.get(e.from)),
    ...n.out.map(e => nodeOf.get(e.to))].filter(o => o.kind !== "bundle");
  const state = new Map(data.nodes.filter(n => n.kind === "kernel")
    .map(n => [n, n.repeat || 1]));
  for (let changed = true; changed;) {
    changed = false;
    for (const n of data.nodes) {
      if (state.has(n) || n.kind === "bundle") continue;
      const known = side(n).filter(o => state.has(o)).map(o => state.get(o));
      if (!known.length) continue;
      state.set(n, Math.min(...known));
      changed = true;
    }
  }
  for (const [n, times] of state) n.repeat = times > 1 ? times : 0;
}
spreadRepeat();

/* ---- head ------------------------------------------------------------------ */

$("name").textContent = data.name;
const count = kind => data.nodes.filter(n => n.kind === kind).length;
$("summary").textContent =
  `${report.target} at ${report.clock_mhz} MHz, weights ${report.quantisation}, ` +
  `caches ${report.kv}: ${count("kernel")} kernels, ${edges.length} streams, ` +
  `${count("converter")} converters, ` +
  `${count("load") + count("bundle") + count("store")} transfers; ` +
  `${time(step.cycles)} ${data.ctx ? "a token" : "a run"}`;

/* ---- graph ----------------------------------------------------------------- */

const KINDS = { kernel: "#8fb8f0", converter: "#f2c879", fork: "#cfd6dd",
  load: "#c9b5ea", bundle: "#c9b5ea", store: "#a9d8b0" };
const DIES = ["#8fb8f0", "#f2c879", "#a9d8b0", "#e7a6a0", "#c9b5ea"];
const heat = x => `hsl(${50 - 50 * x} 85% ${92 - 42 * x}%)`;
const mostLut = Math.max(1, ...data.nodes.map(n => n.cost.lut));
const TINTS = {
  kind: n => KINDS[n.kind],
  die: n => DIES[n.die % DIES.length],
  busy: n => heat(Math.min(1, n.busy)),
  lut: n => heat(Math.sqrt(n.cost.lut / mostLut)),
};

/* Boxes: every op, but an output of a bundle is a box of its own, beside what
 * it feeds. */
const boxes = [], boxesOf = new Map();
for (const n of data.nodes) {
  const add = box => {
    boxes.push(box);
    boxesOf.set(n, [...(boxesOf.get(n) || []), box]);
  };
  const sub = n.kind === "kernel" ? n.parameter :
    n.kind === "converter" ? bytes(n.bytes) : n.name;
  const box = { node: n, title: n.title, sub: short(sub, 26), port: -1,
    w: n.kind === "fork" ? 18 : 138, h: n.kind === "fork" ? 18 : sub ? 34 : 24,
    near: n.kind === "load" };
  if (n.kind !== "bundle") add(box);
  else for (const e of n.out)
    add({ ...box, port: e.port, sub: short(e.name, 26), h: 34, near: true });
}
const indexOf = (id, port) => boxes.findIndex(b => b.node.id === id &&
  (b.port < 0 || b.port === port));
const lines = edges.map(e => ({ edge: e, from: indexOf(e.from, e.port),
  to: indexOf(e.to, -1) }));
const size = layoutGraph(boxes, lines);
const net = $("net"), scene = draw("g", {});
const view = { x: 0, y: 0, scale: 1 };

function drawBlock() {
  const inside = boxes.filter(b => b.node.repeat);
  if (!inside.length) return;
  const x0 = Math.min(...inside.map(b => b.x - b.w / 2)) - 16;
  const x1 = Math.max(...inside.map(b => b.x + b.w / 2)) + 16;
  const y0 = Math.min(...inside.map(b => b.y - b.h / 2)) - 16;
  const y1 = Math.max(...inside.map(b => b.y + b.h / 2)) + 10;
  scene.append(draw("rect", { class: "block", x: x0, y: y0, width: x1 - x0,
    height: y1 - y0, rx: 8 }));
  scene.append(draw("text", { x: x0 + 8, y: y0 - 5 },
    `these kernels run ${inside[0].node.repeat} times a step, once a layer`));
}

function path(points, back) {
  if (back) return "M" + points.map(p => p.map(v => v.toFixed(1)).join(",")).join("L");
  let d = `M${points[0][0].toFixed(1)},${points[0][1].toFixed(1)}`;
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1], [x1, y1] = points[i], m = (y0 + y1) / 2;
    d += `C${x0.toFixed(1)},${m.toFixed(1)} ${x1.toFixed(1)},${m.toFixed(1)} ` +
      `${x1.toFixed(1)},${y1.toFixed(1)}`;
  }
  return d;
}

function drawLine(l) {
  const e = l.edge, transfer = isTransfer(nodeOf.get(e.from));
  l.shape = draw("path", { d: path(l.points, l.back),
    class: `edge${transfer ? " memory" : ""}${l.back ? " back" : ""}`,
    "stroke-width": Math.max(1, Math.log2(e.bits) / 2.4).toFixed(1) });
  l.shape.append(draw("title", {}, `%${e.id} ${e.name}\n${e.type}\ndepth ${e.depth}`));
  l.shape.addEventListener("click", () => showEdge(l));
  scene.append(l.shape);
  const [x, y] = l.points[l.points.length - 1];
  if (!l.back)
    scene.append(draw("text", { class: "depth", x: x + 3, y: y - 4 },
      `${e.elements > 1 ? e.elements + "x" : ""}${e.dtype} d${e.depth}`));
}

function drawBox(b) {
  const g = draw("g", { class: "node", transform: `translate(${b.x} ${b.y})` });
  b.shape = g;
  if (b.node.kind === "fork") {
    b.fill = draw("circle", { r: 8 });
    g.append(b.fill);
  } else {
    b.fill = draw("rect", { x: -b.w / 2, y: -b.h / 2, width: b.w, height: b.h,
      rx: isTransfer(b.node) ? 12 : 3 });
    g.append(b.fill, draw("text", { "text-anchor": "middle", y: b.sub ? -2 : 4 },
      b.title.length > 24 ? b.title.slice(0, 22) + ".." : b.title));
    if (b.sub)
      g.append(draw("text", { class: "sub", "text-anchor": "middle", y: 11 }, b.sub));
  }
  g.append(draw("title", {}, `#${b.node.id} ${b.title} ${b.node.name}`));
  g.addEventListener("click", () => showNode(b.node));
  scene.append(g);
}

function paint() {
  const tint = $("tint").value;
  for (const b of boxes) b.fill.setAttribute("fill", TINTS[tint](b.node));
  const mark = (colour, text) => {
    const i = make("i");
    i.style.background = colour;
    return make("span", {}, i, text);
  };
  const dies = [...new Set(data.nodes.map(n => n.die))].sort();
  $("legend").replaceChildren(...(
    tint === "kind" ? ["kernel", "converter", "fork", "load", "store"].map(k =>
      mark(KINDS[k], { load: "from memory", store: "to memory" }[k] || k)) :
    tint === "die" ? dies.map(d => mark(DIES[d % DIES.length], `die ${d}`)) :
    [0, .25, .5, .75, 1].map(x => mark(heat(x), tint === "busy" ?
      `${100 * x} % of the step` : `${number(x * x * mostLut)} LUTs`))));
}

function move() {
  scene.setAttribute("transform",
    `translate(${view.x} ${view.y}) scale(${view.scale})`);
  net.classList.toggle("far", view.scale < .45);
}
function fit() {
  const r = net.getBoundingClientRect();
  view.scale = Math.min(r.width / size.width, r.height / size.height);
  view.x = (r.width - view.scale * size.width) / 2;
  view.y = 0;
  move();
}
function start() {
  const r = net.getBoundingClientRect();
  view.scale = Math.min(1.1, Math.max(.62, r.width / size.width));
  view.x = r.width / 2 - view.scale * boxes[0].x;
  if (view.scale * size.width <= r.width)
    view.x = (r.width - view.scale * size.width) / 2;
  view.y = 0;
  move();
}
function centre(b) {
  const r = net.getBoundingClientRect();
  view.scale = Math.max(view.scale, .8);
  view.x = r.width / 2 - b.x * view.scale;
  view.y = r.height / 2 - b.y * view.scale;
  move();
}
function watchMouse() {
  let from = null;
  net.addEventListener("wheel", e => {
    e.preventDefault();
    const r = net.getBoundingClientRect();
    const by = Math.exp(-e.deltaY * (e.deltaMode ? .05 : .0015));
    const scale = Math.min(4, Math.max(.02, view.scale * by));
    const x = e.clientX - r.left, y = e.clientY - r.top;
    view.x = x - (x - view.x) * scale / view.scale;
    view.y = y - (y - view.y) * scale / view.scale;
    view.scale = scale;
    move();
  }, { passive: false });
  net.addEventListener("pointerdown", e => { from = [e.clientX, e.clientY]; });
  window.addEventListener("pointermove", e => {
    if (!from) return;
    net.classList.add("moving");
    view.x += e.clientX - from[0];
    view.y += e.clientY - from[1];
    from = [e.clientX, e.clientY];
    move();
  });
  window.addEventListener("pointerup", () => {
    from = null;
    net.classList.remove("moving");
  });
}

/* ---- details ---------------------------------------------------------------- */

const rowsOf = list => {
  const dl = make("dl");
  for (const [k, v] of list)
    if (v !== undefined && v !== "" && v !== null)
      dl.append(make("dt", {}, k), make("dd", {}, v instanceof Node ? v : String(v)));
  return dl;
};
const linkTo = n => {
  const a = make("a", { href: "#graph" }, `#${n.id} ${n.title}`);
  a.addEventListener("click", ev => { ev.preventDefault(); showNode(n, true); });
  return a;
};
function choose(shapes) {
  for (const s of scene.querySelectorAll(".chosen")) s.classList.remove("chosen");
  for (const s of shapes) s.classList.add("chosen");
}
function waitsOf(n) {
  const list = [];
  for (const e of n.in) list.push([e.empty, "a token from ", nodeOf.get(e.from), e]);
  for (const e of n.out) list.push([e.full, "room on the way to ", nodeOf.get(e.to), e]);
  for (const p of n.processes)
    list.push([p.partner, `${p.side}: the other side`, null, null]);
  return list.filter(w => w[0] > 0).sort((a, b) => b[0] - a[0]);
}
function showNode(n, go) {
  const of = boxesOf.get(n);
  choose(of.map(b => b.shape));
  if (go) { centre(of[0]); $("graph").scrollIntoView(); }
  const waits = waitsOf(n).slice(0, 6).map(([c, what, other]) => [
    number(c), make("span", {}, what, ...(other ? [linkTo(other)] : []))]);
  $("detail").replaceChildren(
    make("h3", {}, `#${n.id} ${n.kind}${n.kind === "kernel" ? ": " + n.label : ""}`),
    rowsOf([["name", n.name], ["reads", n.parameter], ["from", n.place], ["die", n.die],
      ["group", n.group || ""], ["layers", n.repeat || ""],
      ["a beat every", `${n.ii} cycles`], ["latency", `${n.latency} cycles`],
      ["channels", n.channel === undefined ? "" : n.channel < 0 ? "on chip" :
        n.channels > 1 ? `${n.channel} to ${n.channel + n.channels - 1}` : n.channel],
      ["buffer", n.bytes === undefined ? "" : bytes(n.bytes)],
      ["resources", ["lut", "ff", "dsp", "bram36", "uram"].filter(k => n.cost[k] > 0)
        .map(k => `${number(n.cost[k])} ${k.toUpperCase()}`).join(", ")],
      ...n.processes.map(p => [`beats${p.side && " of " + p.side}`,
        `${number(p.beats)}, ${percent(p.beats * n.ii / step.cycles)} of the step, ` +
        `cycles ${number(p.first)} to ${number(p.last)}`])]),
    ...(waits.length ? [make("b", {}, "Waited, cycles"), rowsOf(waits)] : []),
    ...(n.in.length ? [make("b", {}, "From"), rowsOf(n.in.map(e =>
      [`%${e.id}`, linkTo(nodeOf.get(e.from))]))] : []),
    ...(n.out.length ? [make("b", {}, "To"), rowsOf(n.out.map(e =>
      [`%${e.id}`, linkTo(nodeOf.get(e.to))]))] : []),
    ...(n.schedule ? [make("b", {}, "Schedule"), make("pre", {}, n.schedule)] : []),
    make("b", {}, "As in design.st"), make("pre", {}, n.text));
}
function showEdge(l) {
  const e = l.edge;
  choose([l.shape]);
  $("detail").replaceChildren(
    make("h3", {}, `%${e.id} ${e.name}`),
    rowsOf([["from", linkTo(nodeOf.get(e.from))], ["to", linkTo(nodeOf.get(e.to))],
      ["token", `${number(e.elements)} x ${e.dtype}, ${number(e.bits)} bits`],
      ["depth", `${number(e.depth)} tokens, ${bytes(e.depth * e.bits / 8)}`],
      ["most in use", `${number(e.fill)} tokens in this step`],
      ["memory", e.memory], ["die", e.die], ["tokens", number(e.tokens)],
      ["its reader waited", `${number(e.empty)} cycles`],
      ["its writer waited", `${number(e.full)} cycles`],
      ["", l.back ? "leads back: from one layer to the next" : ""]]),
    make("b", {}, "Type"), make("pre", {}, e.type.replace(/, \[|, \(/g, s => ",\n" + s.slice(2))));
}
function search() {
  const word = $("search").value.toLowerCase().trim();
  const hits = boxes.filter(b => !word || [b.title, b.sub, b.node.name, b.node.parameter,
    b.node.place, "#" + b.node.id].join(" ").toLowerCase().includes(word));
  for (const b of boxes) b.shape.classList.toggle("faded", !hits.includes(b));
  for (const l of lines) l.shape.classList.toggle("faded", word !== "");
  $("found").textContent = word ? `${hits.length} found` : "";
  if (word && hits.length) centre(hits[0]);
}
