"use strict";
/* Places of the boxes and lines of a graph that is nearly a chain: layers from
 * the top down, an order in each layer with few crossings, and places in it
 * near what a box is joined to.
 *
 *   nodes: [{w, h, near}]   near: it goes right before what it leads to
 *   edges: [{from, to}]     indices; an edge to an earlier node leads back
 *
 * Returns {width, height}; nodes get x, y (centres), edges get points. */
function layoutGraph(nodes, edges) {
  const gapX = 26, gapY = 34;
  const forward = edges.filter(e => e.from < e.to);
  const back = edges.filter(e => e.from >= e.to);
  const out = nodes.map(() => []), into = nodes.map(() => []);
  for (const e of forward) { out[e.from].push(e); into[e.to].push(e); }

  // Layers: the longest way to a node; what has no input, next to its user.
  const layer = nodes.map(() => 0);
  nodes.forEach((n, i) => {
    n.free = n.near && into[i].length === 0;
    for (const e of into[i])
      if (!nodes[e.from].free) layer[i] = Math.max(layer[i], layer[e.from] + 1);
    layer[i] = Math.max(layer[i], into[i].length ? 1 : 0);
  });
  nodes.forEach((n, i) => {
    if (n.free && out[i].length)
      layer[i] = Math.max(0, Math.min(...out[i].map(e => layer[e.to])) - 1);
  });

  // A point of a line in every layer that it passes.
  const items = nodes.map((n, i) => ({ w: n.w, layer: layer[i], up: [], down: [] }));
  const join = (a, b) => { items[a].down.push(b); items[b].up.push(a); };
  for (const e of forward) {
    e.way = [];
    let last = e.from;
    for (let l = layer[e.from] + 1; l < layer[e.to]; l++) {
      items.push({ w: 8, layer: l, up: [], down: [], line: true });
      join(last, items.length - 1);
      last = items.length - 1;
      e.way.push(last);
    }
    join(last, e.to);
  }

  // Order: by the mean place of the neighbours, down and up.
  const count = Math.max(0, ...layer) + 1;
  const rows = Array.from({ length: count }, () => []);
  items.forEach((it, i) => rows[it.layer].push(i));
  const rank = new Array(items.length).fill(0);
  const renumber = row => row.forEach((i, k) => { rank[i] = k / (row.length || 1); });
  rows.forEach(renumber);
  const mean = (list, otherwise) => list.length ?
    list.reduce((s, i) => s + rank[i], 0) / list.length : otherwise;
  for (let sweep = 0; sweep < 12; sweep++) {
    const down = sweep % 2 === 0;
    for (let l = 0; l < count; l++) {
      const row = rows[down ? l : count - 1 - l];
      const key = new Map(row.map(i =>
        [i, mean(down ? items[i].up : items[i].down, rank[i])]));
      row.sort((a, b) => key.get(a) - key.get(b) || a - b);
      renumber(row);
    }
  }

  // Places: as near to the neighbours' mean as the order allows, exactly:
  // neighbours that would overlap are moved as one by the mean of their wishes.
  const x = new Array(items.length).fill(0);
  const place = (row, wish, weight) => {
    const groups = [];
    let offset = 0;
    row.forEach((i, k) => {
      if (k) offset += (items[row[k - 1]].w + items[i].w) / 2 + gapX;
      groups.push({ sum: (wish(i) - offset) * weight(i), n: weight(i),
                    list: [[i, offset]] });
      while (groups.length > 1) {
        const b = groups[groups.length - 1], a = groups[groups.length - 2];
        if (a.sum / a.n <= b.sum / b.n) break;
        groups.splice(-2, 2, { sum: a.sum + b.sum, n: a.n + b.n,
                               list: a.list.concat(b.list) });
      }
    });
    for (const g of groups) for (const [i, o] of g.list) x[i] = g.sum / g.n + o;
  };
  for (const row of rows) {
    let at = 0;
    for (const i of row) { x[i] = at + items[i].w / 2; at += items[i].w + gapX; }
    for (const i of row) x[i] -= at / 2;
  }
  const around = list => list.reduce((s, i) => s + x[i], 0) / list.length;
  for (let sweep = 0; sweep < 24; sweep++) {
    const down = sweep % 2 === 0;
    for (let l = 0; l < count; l++) {
      const row = rows[down ? l : count - 1 - l];
      place(row, i => {
        const side = down ? items[i].up : items[i].down;
        return side.length ? around(side) : x[i];
      }, i => items[i].line ? 4 : 1);
    }
  }

  const heights = rows.map(() => 12);
  nodes.forEach((n, i) => { heights[layer[i]] = Math.max(heights[layer[i]], n.h); });
  const tops = [];
  let y = 20;
  for (const h of heights) { tops.push(y + h / 2); y += h + gapY; }
  const left = Math.min(...items.map((it, i) => x[i] - it.w / 2)) - 60;
  nodes.forEach((n, i) => { n.x = x[i] - left; n.y = tops[layer[i]]; });
  // Ends of lines lie side by side along a box, in the order of their places.
  const spread = (lists, at, key) => lists.forEach(list => {
    list.slice().sort((a, b) => x[at(a)] - x[at(b)]).forEach((e, k, all) => {
      const room = nodes[key === "tail" ? e.from : e.to].w * .7;
      e[key] = all.length > 1 ? room * (k / (all.length - 1) - .5) : 0;
    });
  });
  spread(out, e => e.way.length ? e.way[0] : e.to, "tail");
  spread(into, e => e.way.length ? e.way[e.way.length - 1] : e.from, "head");
  for (const e of forward)
    e.points = [
      [nodes[e.from].x + e.tail, nodes[e.from].y + nodes[e.from].h / 2],
      ...e.way.map(i => [x[i] - left, tops[items[i].layer]]),
      [nodes[e.to].x + e.head, nodes[e.to].y - nodes[e.to].h / 2]];
  const right = Math.max(...nodes.map(n => n.x + n.w / 2)) + 40;
  back.forEach((e, k) => {
    const a = nodes[e.from], b = nodes[e.to], side = right + 14 * k;
    e.points = [[a.x + a.w / 2, a.y], [side, a.y], [side, b.y], [b.x + b.w / 2, b.y]];
    e.back = true;
  });
  return { width: right + 14 * back.length + 30, height: y };
}
