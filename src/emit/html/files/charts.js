/* ---- a token in time -------------------------------------------------------- */

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name);
const LEFT = 250, ROW = 11, AXIS = 18;
const nameOf = p => {
  const n = nodeOf.get(p.node);
  const what = isTransfer(n) ? n.name : n.parameter;
  return `#${n.id} ${n.title}${p.side && " " + p.side}${what && " " + short(what, 30)}`;
};
const shown = step.processes.filter(p => p.beats).sort((a, b) => a.first - b.first);

/* A canvas of `rows` lines of `bins` columns, sharp on any screen. */
function canvas(id, rows, width) {
  const c = $(id), ratio = window.devicePixelRatio || 1, height = AXIS + rows * ROW + 4;
  c.width = width * ratio;
  c.height = height * ratio;
  c.style.width = `${width}px`;
  c.style.height = `${height}px`;
  const g = c.getContext("2d");
  g.scale(ratio, ratio);
  g.font = "10px system-ui, sans-serif";
  g.textBaseline = "middle";
  return g;
}
function axis(g, width, rows) {
  g.fillStyle = css("--dim");
  g.strokeStyle = css("--line");
  for (let k = 0; k <= 8; k++) {
    const x = LEFT + (width - LEFT) * k / 8;
    g.textAlign = k === 8 ? "right" : k ? "center" : "left";
    g.fillText(time(step.bins * step.per_bin * k / 8), x, AXIS / 2);
    g.beginPath();
    g.moveTo(x, AXIS);
    g.lineTo(x, AXIS + rows * ROW);
    g.stroke();
  }
  g.textAlign = "left";
}
const chartWidth = () => Math.max(700, document.body.clientWidth - 44);

function drawLanes() {
  const width = chartWidth(), g = canvas("lanes", shown.length, width);
  const wide = (width - LEFT) / step.bins;
  axis(g, width, shown.length);
  const colours = ["busy", "input", "output"].map(k => [k, css("--" + k)]);
  shown.forEach((p, r) => {
    const y = AXIS + r * ROW;
    g.fillStyle = css("--text");
    g.fillText(nameOf(p).slice(0, 46), 0, y + ROW / 2);
    for (let b = 0; b < step.bins; b++) {
      let bottom = y + ROW - 1;
      for (const [key, colour] of colours) {
        const h = (ROW - 2) * shareOf(p[key][b]);
        if (!h) continue;
        g.globalAlpha = key === "busy" ? 1 : .55;
        g.fillStyle = colour;
        g.fillRect(LEFT + b * wide, bottom - h, wide + .3, h);
        bottom -= h;
      }
    }
    g.globalAlpha = 1;
  });
}
function rowAt(e) {
  const r = $("lanes").getBoundingClientRect();
  const row = Math.floor((e.clientY - r.top - AXIS) / ROW);
  const bin = Math.floor((e.clientX - r.left - LEFT) / (r.width - LEFT) * step.bins);
  return { p: shown[row], bin, x: e.clientX - r.left, y: e.clientY - r.top };
}
function hover(e) {
  const { p, bin, x, y } = rowAt(e);
  $("tip").style.display = p ? "block" : "none";
  if (!p) return;
  const n = nodeOf.get(p.node), waits = waitsOf(n).slice(0, 3);
  const text = [nameOf(p), n.parameter || n.name, n.place];
  if (bin >= 0 && bin < step.bins)
    text.push(`${time(bin * step.per_bin)}: works ${percent(shareOf(p.busy[bin]))}, ` +
      `waits for input ${percent(shareOf(p.input[bin]))}, ` +
      `for room ${percent(shareOf(p.output[bin]))}`);
  for (const [c, what, other] of waits)
    text.push(`waited ${number(c)} cycles for ${what}${other ? `#${other.id} ${other.title}` : ""}`);
  $("tip").textContent = text.filter(s => s).join("\n");
  $("tip").style.left = `${Math.min(x + 14, chartWidth() - 420)}px`;
  $("tip").style.top = `${y + 14}px`;
}

/* Whoever is busy for all of the step sets its length. */
function drawWork() {
  const list = step.processes.map(p => [p.beats * Math.max(1, nodeOf.get(p.node).ii), p])
    .filter(w => w[0]).sort((a, b) => b[0] - a[0]).slice(0, 15);
  fill("work", ["cycles", "of the step", "who", "with"], list.map(([cycles, p]) => {
    const n = nodeOf.get(p.node);
    return [number(cycles), percent(cycles / step.cycles),
      make("span", {}, linkTo(n), p.side && ` ${p.side}`),
      short(isTransfer(n) ? n.name : n.parameter, 40)];
  }));
}
function drawWaits() {
  const all = [];
  for (const n of data.nodes)
    for (const [c, what, other] of waitsOf(n)) all.push([c, n, what, other]);
  all.sort((a, b) => b[0] - a[0]);
  fill("waits", ["cycles", "of the step", "who", "on what"],
    all.slice(0, 15).map(([c, n, what, other]) => [number(c), percent(c / step.cycles),
      linkTo(n), make("span", {}, what, ...(other ? [linkTo(other)] : []))]));
}
/* Two columns of numbers, then text. */
function fill(table, heads, rows) {
  const cells = (tag, list) => make("tr", {}, ...list.map((c, i) =>
    make(tag, i < 2 ? { class: "n" } : {}, c)));
  $(table).append(make("thead", {}, cells("th", heads)),
    make("tbody", {}, ...rows.map(r => cells("td", r))));
}

/* ---- memory ------------------------------------------------------------------ */

function drawChannels() {
  const list = step.channels, width = chartWidth();
  if (!list.length) {
    $("memoryhint").textContent = "Parameters are on chip: there are no memory channels.";
    $("channels").hidden = true;
    return;
  }
  const moved = list.reduce((s, c) => s + c.read + c.written, 0);
  const seconds = step.cycles / report.clock_mhz / 1e6;
  const peak = step.channel_peak_gbps * 1e9 * list.length;
  $("memoryhint").textContent = `${bytes(moved)} in ${time(step.cycles)}: ` +
    `${number(moved / seconds / 1e9)} GB/s, ${percent(moved / seconds / peak)} of the peak ` +
    `of ${list.length} channels. The darker, the nearer to a channel's peak.`;
  const g = canvas("channels", list.length, width), wide = (width - LEFT) / step.bins;
  axis(g, width, list.length);
  list.forEach((c, r) => {
    const y = AXIS + r * ROW;
    g.globalAlpha = 1;
    g.fillStyle = css("--text");
    g.fillText(`channel ${r}: ${bytes(c.read)} read, ${bytes(c.written)} written`, 0, y + ROW / 2);
    g.fillStyle = css("--mark");
    for (let b = 0; b < step.bins; b++) {
      g.globalAlpha = shareOf(c.use[b]);
      g.fillRect(LEFT + b * wide, y, wide + .3, ROW - 1);
    }
  });
  g.globalAlpha = 1;
}

/* ---- resources ----------------------------------------------------------------- */

const bar = (name, parts, all, text) => {
  const track = make("div", { class: "track" });
  for (const [value, colour, title] of parts) {
    const s = make("span", { title });
    s.style.width = `${Math.min(100, 100 * value / all)}%`;
    s.style.background = colour;
    track.append(s);
  }
  return make("div", { class: "bar" }, make("span", {}, name), track, make("span", {}, text));
};
function drawBars() {
  const dies = report.dies.map((d, i) => [d, i]);
  for (const [key, name] of [["lut", "LUT"], ["ff", "FF"], ["dsp", "DSP"],
    ["bram36", "BRAM36"], ["uram", "URAM"]]) {
    const used = report.resources.used[key], all = report.resources.available[key];
    if (!all) continue;
    $("bars").append(bar(name, dies.map(([d, i]) => [d.used[key], DIES[i % DIES.length],
      `die ${i}: ${number(d.used[key])} of ${number(d.available[key])}`]), all,
      `${number(used)} of ${number(all)}, ${percent(used / all)}` + (dies.length > 1 ?
        "; of the dies " + dies.map(([d]) => percent(d.used[key] / d.available[key])).join(", ") :
        "")));
  }
  dies.filter(([d]) => d.wires_to_next).forEach(([d, i]) => $("bars").append(
    bar(`wires ${i} to ${i + 1}`, [[d.wires_to_next.used, DIES[0], ""]],
      d.wires_to_next.available, `${number(d.wires_to_next.used)} of ` +
      `${number(d.wires_to_next.available)}, ` +
      percent(d.wires_to_next.used / d.wires_to_next.available))));
  const { unfused, fused } = report.intermediate_bytes;
  $("fusion").append(
    bar("without fusion", [[unfused, css("--output"), ""]], Math.max(unfused, fused, 1), bytes(unfused)),
    bar("as built", [[fused, css("--busy"), ""]], Math.max(unfused, fused, 1),
      `${bytes(fused)}${unfused ? `, ${percent(fused / unfused)}` : ""}: ` +
      "FIFOs between kernels and converters"));
  for (const p of report.passes)
    $("passes").append(bar(p.name, [[p.seconds, css("--mark"), ""]], report.seconds,
      `${number(1e3 * p.seconds)} ms`));
}

/* ---- table ------------------------------------------------------------------------ */

const COLUMNS = [
  ["#", n => n.id, 1], ["kind", n => n.kind], ["what", n => n.title],
  ["parameter", n => short(n.parameter || n.name, 44)], ["die", n => n.die, 1],
  ["busy", n => n.busy, 1, percent],
  ["waits", n => waitsOf(n).reduce((s, w) => s + w[0], 0), 1, number],
  ["LUT", n => n.cost.lut, 1, number], ["DSP", n => n.cost.dsp, 1, number],
  ["BRAM36", n => n.cost.bram36, 1, number], ["URAM", n => n.cost.uram, 1, number],
  ["place", n => short(n.place, 50)],
];
let sorted = 0, upward = true;
function drawTable() {
  const [, key] = COLUMNS[sorted];
  const list = data.nodes.slice().sort((a, b) => {
    const x = key(a), y = key(b);
    return (x < y ? -1 : x > y ? 1 : a.id - b.id) * (upward ? 1 : -1);
  });
  const head = make("tr", {}, ...COLUMNS.map(([name, , numeric], i) => {
    const th = make("th", numeric ? { class: "n" } : {},
      name + (i === sorted ? upward ? " ^" : " v" : ""));
    th.addEventListener("click", () => {
      upward = sorted === i ? !upward : !numeric || i === 0;
      sorted = i;
      drawTable();
    });
    return th;
  }));
  const body = list.map(n => {
    const tr = make("tr", { "data-op": n.id }, ...COLUMNS.map(([, get, numeric, text]) =>
      make("td", numeric ? { class: "n" } : {}, String(text ? text(get(n)) : get(n)))));
    tr.addEventListener("click", () => showNode(n, true));
    return tr;
  });
  $("ops").replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
}

/* ---- all of it ---------------------------------------------------------------------- */

drawBlock();
lines.forEach(drawLine);
boxes.forEach(drawBox);
net.append(scene);
paint();
start();
watchMouse();
const asked = nodeOf.get(Number((location.hash.match(/^#op=(\d+)$/) || [])[1]));
if (asked) showNode(asked, true);
else showNode(data.nodes.reduce((a, b) => b.cost.lut > a.cost.lut ? b : a));
if (!data.ctx) for (const e of document.querySelectorAll("[data-run]"))
  e.textContent = e.dataset.run;
$("fit").addEventListener("click", fit);
$("tint").addEventListener("change", paint);
$("search").addEventListener("input", search);
$("timehint").textContent = (data.ctx ? `One token after ${step.P} others: ` : "One run: ") +
  `${number(step.cycles)} cycles, ${time(step.cycles)}. A line for every process, in the ` +
  "order of their first beat; a converter has two. Click a line to see it in the graph.";
drawLanes();
drawWork();
drawWaits();
drawChannels();
drawBars();
drawTable();
$("lanes").addEventListener("mousemove", hover);
$("lanes").addEventListener("mouseleave", () => { $("tip").style.display = "none"; });
$("lanes").addEventListener("click", e => {
  const { p } = rowAt(e);
  if (p) showNode(nodeOf.get(p.node), true);
});
window.addEventListener("resize", () => { drawLanes(); drawChannels(); });
$("verdict").textContent = data.certificate.ok ?
  "Checked: no FIFO overflows and none is read empty, so nothing can deadlock at these depths." :
  "The certificate does not hold for this design.";
$("verdict").className = data.certificate.ok ? "good" : "bad";
$("check").textContent = data.certificate.text;
document.documentElement.dataset.drawn = boxes.length;
