"use strict";
// The page's program. `lucid/see/page.py` makes the data; `lucid/see/layout.py` explains the layout. Its last step,
// `assign_coordinates`, is repeated here as `place`, for it depends on what is folded. All text goes in as text, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const { boxes, groups, edges, steps } = data;
const by = (id) => document.getElementById(id);
const svg = (tag, attributes = {}, ...children) => make(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const html = (tag, attributes = {}, ...children) => make(document.createElement(tag), attributes, children);
function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// -- what is shown ---------------------------------------------------------------------------------------------------

const folded = new Set();
let at = 0; // steps taken so far
let selected = `b${data.loss}`;
let playing = null;
let sourcesOpen = false; // whether the panel shows the source below the mathematics
let seen = {}; // rectangles of what can be seen, by key
let drawn = {}; // the elements of boxes and folded groups, by key
let lines = []; // the elements of edges, by edge; null where none is drawn
let view = { x: 0, y: 0, k: 1 };

for (const step of steps) for (const sent of step.sent) sent.part ??= sent.after;
const stepOf = new Map(steps.map((step, i) => [step.box, i])); // box -> its turn
const into = boxes.map(() => []), outOf = boxes.map(() => []);
edges.forEach(([source, target], i) => { into[target].push(i); outOf[source].push(i); });
const inside = groups.map(() => []); // group -> the steps of what is in it, in order
steps.forEach((step, i) => { for (let g = boxes[step.box].group; g !== null; g = groups[g].parent) inside[g].push(i); });
const gathered = boxes.map(() => []); // box -> [step from which, value], in order
gathered[data.loss].push([0, data.seed]);
steps.forEach((step, i) => step.sent.forEach((sent) => { if (sent.to !== null) gathered[sent.to].push([i + 1, sent.after]); }));

function gradient(box) {
  let found = null;
  for (const [since, value] of gathered[box]) if (since <= at) found = value;
  return found;
}

function chain(group) { // the group and those around it, the outermost first
  const found = [];
  for (let g = group; g !== null; g = groups[g].parent) found.unshift(g);
  return found;
}

function keyOf(box) { // the key that stands for a box: its own, or that of the outermost folded group that it is in
  const hidden = chain(boxes[box].group).find((group) => folded.has(group));
  return hidden === undefined ? `b${box}` : `g${hidden}`;
}

// -- layout ----------------------------------------------------------------------------------------------------------

const { COLUMN, ROW, PADDING, TITLE, SWEEPS, BESIDE } = data.constants;

function place() {
  const inner = {}, sizes = {};
  const measure = (group) => {
    for (const key of groups[group].members) {
      const number = Number(key.slice(1)), one = key[0] === "g" ? groups[number] : boxes[number];
      sizes[key] = key[0] === "g" && !folded.has(number) ? measure(number) : one.size;
    }
    const [rectangles, extent] = positions(groups[group], sizes);
    inner[group] = rectangles;
    return extent;
  };
  const [width, height] = measure(0);
  const absolute = { g0: [0, 0, width, height, 0] }, points = {};
  const frontier = [0];
  while (frontier.length) {
    const group = frontier.pop();
    const [left, top] = absolute[`g${group}`];
    for (const [key, [x, y, w, h, start]] of Object.entries(inner[group])) {
      const moved = [left + x, top + y, w, h, left + start];
      if ("bg".includes(key[0])) absolute[key] = moved;
      else points[`${group} ${key}`] = moved;
    }
    for (const key of groups[group].members) if (key[0] === "g" && !folded.has(Number(key.slice(1)))) frontier.push(Number(key.slice(1)));
  }
  return [absolute, points];
}

function positions(group, sizes) {
  const size = (key) => ("bg".includes(key[0]) ? sizes[key] : [0, 4]);
  const before = {}, after = {}, middle = {};
  for (const [a, b] of group.lines) { (before[b] ??= []).push(a); (after[a] ??= []).push(b); }
  for (const layer of group.layers) {
    let y = -(layer.reduce((sum, key) => sum + size(key)[1], 0) + ROW * (layer.length - 1)) / 2;
    for (const key of layer) { middle[key] = y + size(key)[1] / 2; y += size(key)[1] + ROW; }
  }
  for (let sweep = 0; sweep < 2 * SWEEPS; sweep++) {
    const neighbours = sweep % 2 === 0 ? after : before;
    for (const layer of sweep % 2 === 0 ? [...group.layers].reverse() : group.layers) {
      const wanted = layer.map((key) => {
        const near = neighbours[key];
        return near ? near.reduce((sum, other) => sum + middle[other], 0) / near.length : middle[key];
      });
      pooled(wanted, layer.map((key) => size(key)[1]), layer.map((key) => (key[0] === "d" ? 4 : 1))).forEach((y, i) => { middle[layer[i]] = y; });
    }
  }
  const all = group.layers.flat();
  const top = all.length ? Math.min(...all.map((key) => middle[key] - size(key)[1] / 2)) : 0;
  const bottom = all.length ? Math.max(...all.map((key) => middle[key] + size(key)[1] / 2)) : 0;
  const rectangles = {};
  let x = PADDING;
  for (const layer of group.layers) {
    const width = Math.max(0, ...layer.map((key) => size(key)[0]));
    for (const key of layer) {
      const [w, h] = size(key), own = key[0] === "d" ? width : w;
      rectangles[key] = [x + width - own, PADDING + TITLE + middle[key] - h / 2 - top, own, h, x];
    }
    x += width + COLUMN;
  }
  const width = x - COLUMN + PADDING;
  for (const key of Object.keys(rectangles)) if ("io".includes(key[0])) rectangles[key][0] = rectangles[key][4] = key[0] === "i" ? 0 : width;
  return [rectangles, [width, bottom - top + 2 * PADDING + TITLE]];
}

function pooled(wanted, heights, weights) {
  const offsets = [0], blocks = [];
  for (let i = 1; i < heights.length; i++) offsets.push(offsets[i - 1] + (heights[i - 1] + heights[i]) / 2 + ROW);
  wanted.forEach((want, i) => {
    blocks.push([(want - offsets[i]) * weights[i], weights[i], 1]);
    while (blocks.length > 1) {
      const [a, b] = blocks.slice(-2);
      if (a[0] / a[1] <= b[0] / b[1]) break;
      blocks.pop();
      a[0] += b[0]; a[1] += b[1]; a[2] += b[2];
    }
  });
  return blocks.flatMap(([total, weight, count]) => Array(count).fill(total / weight)).map((z, i) => z + offsets[i]);
}

function line(edge, points) { // an edge's curve, or null where it is hidden
  const a = keyOf(edges[edge][0]), b = keyOf(edges[edge][1]);
  if (a === b) return null;
  const [x, y, w, h] = seen[a], [tx, ty, , th, start] = seen[b];
  const same = into[edges[edge][1]].filter((each) => edges[each][0] === edges[edge][0]); // such as both of a * a
  const shift = a[0] === "g" || b[0] === "g" ? 0 : (same.indexOf(edge) - (same.length - 1) / 2) * Math.min(BESIDE, 40 / same.length);
  const way = [[x + w, y + h / 2]];
  for (const key of edges[edge][3]) if (points[key]) {
    const [px, py, pw, ph] = points[key];
    way.push([px, py + ph / 2]);
    if (pw) way.push([px + pw, py + ph / 2]);
  }
  way.push([start, ty + th / 2], [tx, ty + th / 2]);
  for (const point of way) point[1] += shift;
  let path = `M${way[0][0]} ${way[0][1]}`;
  for (let i = 1; i < way.length; i++) {
    const [x0, y0] = way[i - 1], [x1, y1] = way[i], bend = Math.min(60, Math.max(12, (x1 - x0) / 2));
    path += Math.abs(y1 - y0) < 0.5 ? `L${x1} ${y1}` : `C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1} ${y1}`;
  }
  return path;
}

// -- values ----------------------------------------------------------------------------------------------------------

const number = (value) => {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  return value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
};
const shapeText = (value) => value.shape.join("×") || "number";
const isOne = (value) => value && value.full && value.full.length === 1;

function short(value) { // in one line
  if (!value) return "";
  if (value.text !== undefined) return value.text;
  if (value.full && value.full.length === 1) return number(value.full[0]);
  if (value.full && value.full.length <= 3) return `[${value.full.map(number).join(", ")}]`;
  return shapeText(value);
}

function fitting(value, width) { // the same, if there is room for it
  const text = short(value);
  return text.length * 7.1 <= width || isOne(value) ? text : shapeText(value);
}

function inWords(value) {
  if (!value) return "not known";
  if (value.text !== undefined || (value.full && value.full.length <= 3)) return short(value);
  return `${shapeText(value)} numbers from ${number(value.low)} to ${number(value.high)}`;
}

function cells(value) { // [rows, columns, the share of the largest, -1 to 1, of each cell; NaN for what is not finite]
  if (value.full) {
    const columns = value.shape.length > 1 ? value.shape[value.shape.length - 1] : value.full.length;
    const largest = Math.max(...value.full.map((x) => (Number.isFinite(x) ? Math.abs(x) : 0))) || 1;
    return [value.full.length / (columns || 1), columns, value.full.map((x) => (Number.isFinite(x) ? x / largest : NaN))];
  }
  return [value.rows, value.columns, [...value.heat].map((c) => (c === "!" ? NaN : (c.charCodeAt(0) - 69) / 21))];
}

function colour(share) {
  const style = getComputedStyle(document.documentElement), rgb = (name) => style.getPropertyValue(name).split(",").map(Number);
  return colourOf(share, rgb("--zero"), rgb(share < 0 ? "--negative" : "--positive"));
}

function colourOf(share, zero, end) {
  if (Number.isNaN(share)) return "#000";
  const t = Math.sqrt(Math.abs(share));
  return `rgb(${zero.map((z, i) => Math.round(z + (end[i] - z) * t)).join(",")})`;
}

function strip(value, x, y, width) { // a thumbnail: one row of at most 20 cells
  const [, , shares] = cells(value), count = Math.min(20, shares.length);
  const group = svg("g", { class: "strip" });
  for (let i = 0; i < count; i++) {
    const share = shares[Math.floor((i + 0.5) * shares.length / count)];
    group.append(svg("rect", { x: x + (i * width) / count, y, width: width / count + 0.3, height: 9, fill: colour(share) }));
  }
  return group;
}

// -- drawing ---------------------------------------------------------------------------------------------------------

const counted = (n) => (n === 1 ? "1 operation" : `${n} operations`);
const titleOf = (box) => (boxes[box].kind === "op" || boxes[box].kind === "more" ? boxes[box].label : boxes[box].name || boxes[box].label);
const shortOf = (box) => (titleOf(box) === boxes[box].name ? boxes[box].short || titleOf(box) : titleOf(box));

function describe(key) {
  const numberOf = Number(key.slice(1));
  if (key[0] === "g") return `Module ${groups[numberOf].label}, folded, ${counted(groups[numberOf].count)}. Enter unfolds it.`;
  const box = boxes[numberOf], g = gradient(numberOf);
  const name = box.name && box.name !== titleOf(numberOf) ? ` named ${box.name}` : "";
  return `${box.kind === "op" ? "Operation" : box.kind} ${titleOf(numberOf)}${name}, value ${inWords(box.value)}, gradient ${g ? inWords(g) : "none yet"}`;
}

function draw() {
  const [absolute, points] = place();
  seen = absolute;
  drawn = {};
  const frames = [], nodes = [];
  for (const [key, [x, y, w, h]] of Object.entries(absolute)) {
    const n = Number(key.slice(1));
    if (key === "g0") continue;
    if (key[0] === "g" && !folded.has(n)) {
      frames.push(svg("g", { class: "frame", tabindex: 0, role: "button", "aria-expanded": "true", "aria-label": `Module ${groups[n].label}, unfolded. Enter folds it.`, "data-key": key },
        svg("title", {}, groups[n].label), svg("rect", { x, y, width: w, height: h, rx: 12 }), svg("rect", { class: "bar", x, y, width: w, height: TITLE + 4 }),
        svg("text", { x: x + 13, y: y + 19 }, `▾ ${groups[n].short}`)));
    } else nodes.push((drawn[key] = boxElement(key, n, x, y, w, h)));
  }
  by("frames").replaceChildren(...frames.sort((a, b) => groups[a.dataset.key.slice(1)].depth - groups[b.dataset.key.slice(1)].depth));
  by("boxes").replaceChildren(...nodes);
  const paths = {};
  lines = edges.map((_, i) => {
    const path = line(i, points);
    return path === null ? null : (paths[path] ??= svg("path", { class: "edge", d: path }));
  });
  by("edges").replaceChildren(...Object.values(paths));
  show();
}

function boxElement(key, n, x, y, w, h) {
  const isGroup = key[0] === "g", box = isGroup ? null : boxes[n];
  const group = svg("g", { class: `box ${isGroup ? "folded" : box.kind}`, transform: `translate(${x} ${y})`, tabindex: 0, role: "button", "aria-expanded": isGroup ? "false" : null, "data-key": key });
  const rx = isGroup ? 10 : box.kind === "op" || box.kind === "more" ? 8 : 20;
  group.append(svg("title", {}, isGroup ? groups[n].label : box.name && box.name !== titleOf(n) ? `${titleOf(n)} ${box.name}` : titleOf(n)));
  group.append(svg("rect", { class: "halo", x: -8, y: -8, width: w + 16, height: h + 16, rx: rx + 7 }));
  if (isGroup) group.append(svg("rect", { class: "behind", x: 4, y: 4, width: w, height: h, rx }));
  group.append(svg("rect", { class: "body", width: w, height: h, rx }));
  const inset = rx > 10 ? 16 : 12;
  group.append(svg("text", { class: "title", x: inset, y: 19 }, isGroup ? `▸ ${groups[n].short}` : shortOf(n)));
  if (isGroup) {
    group.append(svg("text", { class: "value", x: inset, y: 36 }, counted(groups[n].count)));
  } else {
    if (box.name && box.name !== titleOf(n)) group.append(svg("text", { class: "name", x: w - inset, y: 19, "text-anchor": "end" }, box.short));
    const text = box.value ? fitting(box.value, w - 2 * inset) : box.shape ?? "";
    group.append(svg("text", { class: "value", x: inset, y: 35 }, text));
    const room = inset + 7.1 * text.length + 8;
    if (box.value && !isOne(box.value) && w - inset - room > 24 && text === shapeText(box.value)) group.append(strip(box.value, room, 26.5, w - inset - room));
  }
  group.append(svg("g", { class: "lower" }));
  return group;
}

function show() { // where the pass is: marks, gradients, the panel
  const step = at ? steps[at - 1] : null;
  const current = keyOf(step ? step.box : data.loss);
  const done = new Set(), given = new Set();
  for (let i = 0; i < at; i++) done.add(keyOf(steps[i].box));
  if (step) for (const sent of step.sent) if (sent.to !== null) given.add(keyOf(sent.to));
  for (const [key, element] of Object.entries(drawn)) {
    element.classList.toggle("current", at > 0 && key === current);
    element.classList.toggle("given", given.has(key) && key !== current);
    element.classList.toggle("done", done.has(key));
    element.classList.toggle("selected", key === selected);
    element.setAttribute("aria-label", describe(key));
    const lower = element.lastChild, g = key[0] === "b" ? gradient(Number(key.slice(1))) : null;
    lower.replaceChildren();
    if (key[0] === "g") showInside(element, Number(key.slice(1)), key === current && step);
    if (g) {
      const w = seen[key][2], inset = ["op", "more"].includes(boxes[key.slice(1)].kind) ? 12 : 16;
      const text = g.text !== undefined ? g.text : fitting(g, w - 2 * inset - 16), cells = g.text === undefined && !isOne(g) && text === shapeText(g);
      lower.append(svg("text", { class: "grad", x: inset, y: 51 }, cells ? "∇" : `∇ ${text}`));
      if (cells) lower.append(strip(g, inset + 20, 42.5, w - 2 * inset - 20));
    }
  }
  const passed = new Set(), flowing = new Set();
  steps.slice(0, at).forEach((one, i) => one.sent.forEach((sent) => sent.edges.forEach((edge) => (i === at - 1 ? flowing : passed).add(lines[edge]))));
  for (const path of by("edges").children) {
    path.classList.toggle("passed", passed.has(path));
    path.classList.toggle("flow", flowing.has(path));
  }
  for (const path of flowing) if (path) by("edges").append(path); // on top
  by("at").value = at;
  for (const id of ["first", "back"]) by(id).disabled = at === 0;
  for (const id of ["next", "last"]) by(id).disabled = at === steps.length;
  by("status").textContent = step
    ? `Step ${at} of ${steps.length}: ${titleOf(step.box)} sends ${step.sent.map((sent) => `${short(sent.part)} to ${sent.name}`).join(", ") || "nothing on"}`
    : steps.length ? `Ready: ${steps.length} steps. Press → or Play.` : "Nothing to step through.";
  by("status").title = by("status").textContent;
  panel();
}

function showInside(element, group, step) { // how far the pass is inside of a folded box, and what runs there now
  const all = inside[group], ran = all.filter((i) => i < at).length, [, , w] = seen[`g${group}`], from = 12 + (w - 24) * (1 - ran / all.length);
  element.querySelector(".value").textContent = step ? `${ran} of ${all.length}: ${titleOf(step.box)}` : counted(groups[group].count);
  if (!ran) return;
  element.lastChild.append(svg("path", { class: "edge inside", d: `M12 48H${w - 12}` }),
    svg("path", { class: `edge inside ${step ? "flow" : "passed"}`, d: `M${from} 48H${w - 12}` }));
}

// -- the panel -------------------------------------------------------------------------------------------------------

function panel() {
  const place = by("panel"), key = drawn[selected] || selected[0] === "b" ? selected : `b${data.loss}`;
  const n = Number(key.slice(1));
  place.replaceChildren(...(key[0] === "g" ? aboutGroup(n) : aboutBox(n)));
}

function aboutGroup(n) {
  return [html("h2", {}, groups[n].label), html("p", { class: "facts" }, `${counted(groups[n].count)}, folded. Press Enter or double-click to unfold.`)];
}

function aboutBox(n) {
  const box = boxes[n], g = gradient(n), turn = stepOf.get(n), out = [];
  out.push(html("h2", {}, titleOf(n), box.name && box.name !== titleOf(n) ? html("small", {}, box.name) : null));
  const facts = [box.kind === "op" ? "operation" : box.kind, box.shape !== null && box.shape, box.dtype, box.module && `in ${box.module}`].filter(Boolean);
  out.push(html("p", { class: "facts" }, facts.join(" · ")));
  if (box.line) out.push(html("h3", {}, "Your line"), html("pre", {}, box.line.text || "(source not available)"), html("p", { class: "facts" }, `${box.line.file}:${box.line.number}, in ${box.line.function}`));
  else if (box.kind === "op") out.push(html("p", { class: "hint" }, data.hint));
  out.push(html("h3", {}, "Value"));
  if (box.value) out.push(...valueElements(box.value, ""));
  else out.push(html("p", { class: "hint" }, box.kind === "more" ? "These were left out of the drawing." : `Not kept: no formula needs it. ${data.hint}`));
  if (box.changed) out.push(html("p", { class: "hint" }, "Changed in place since the operation ran: this is what stands there now."));
  if (box.kind === "constant" || box.kind === "more") return out;
  out.push(html("h3", {}, turn !== undefined && turn < at ? "Gradient" : "Gradient so far"));
  if (g) out.push(...valueElements(g, "gradient"));
  else out.push(html("p", { class: "hint" }, "None has arrived yet."));
  if (turn === undefined) return out;
  const done = turn < at, step = steps[turn];
  out.push(html("h3", {}, `Chain rule · step ${turn + 1}`));
  for (const sent of step.sent) {
    const rows = [html("p", {}, `to ${sent.input || "its input"} `, sent.to === null ? sent.name : link(sent.to, sent.name)),
      html("details", { class: "math", open: sourcesOpen ? "" : null }, html("summary", { title: "Click for the source of the vjp" }, sent.math), html("pre", {}, sent.formula))];
    if (sent.note) rows.push(html("p", { class: "facts" }, sent.note));
    rows[1].addEventListener("toggle", (event) => { sourcesOpen = event.target.open; });
    if (done) {
      if (sent.numbers && sent.numbers !== sent.math) rows.push(html("pre", { class: "numbers" }, `= ${sent.numbers}`));
      if (isOne(sent.part) || sent.part.text !== undefined) rows.push(html("pre", { class: "numbers" }, `= ${short(sent.part)}`));
      else rows.push(...valueElements(sent.part, "gradient"));
      if (sent.before) rows.push(html("p", { class: "facts" }, isOne(sent.part) ? `added to what was there: ${short(sent.before)} → ${short(sent.after)}` : "added to what was there"));
    }
    out.push(html("div", { class: done ? "sent done" : "sent" }, ...rows));
  }
  if (!done) out.push(html("p", { class: "hint" }, `Its turn is step ${turn + 1}. `, html("kbd", {}, "→"), " goes there."));
  return out;
}

function link(box, text) {
  const button = html("button", { class: "go" }, text);
  button.addEventListener("click", () => { reveal(box); select(`b${box}`, true); });
  return button;
}

function valueElements(value, kind) {
  if (value.text !== undefined) return [html("p", { class: `number ${kind}` }, value.text)];
  if (isOne(value)) return [html("p", { class: `number ${kind}`, title: String(value.full[0]) }, number(value.full[0]))];
  const out = [];
  const [rows, columns, shares] = cells(value);
  if (value.full && columns <= 8 && rows <= 16) {
    const table = html("table", { "aria-label": `${shapeText(value)} numbers` }), body = html("tbody");
    for (let r = 0; r < rows; r++) {
      body.append(html("tr", {}, ...Array.from({ length: columns }, (_, c) => {
        const x = value.full[r * columns + c], cell = html("td", { title: String(x) }, number(x));
        cell.style.background = colour(shares[r * columns + c] * 0.5);
        return cell;
      })));
    }
    table.append(body);
    out.push(table);
  } else if (shares.length) {
    const canvas = html("canvas", { width: columns, height: rows, role: "img", "aria-label": `Heat map: ${inWords(value)}` });
    canvas.style.height = `${Math.min(200, Math.max(18, (260 * rows) / columns))}px`;
    canvas.style.maxWidth = `${Math.max(30, Math.min(260, (200 * columns) / rows))}px`;
    const context = canvas.getContext("2d");
    shares.forEach((share, i) => { context.fillStyle = colour(share); context.fillRect(i % columns, Math.floor(i / columns), 1, 1); });
    out.push(canvas);
  }
  if (value.low !== undefined) {
    const facts = [["least", value.low], ["most", value.high], ["mean", value.mean], ["std", value.std]];
    out.push(html("dl", {}, ...facts.flatMap(([name, x]) => [html("dt", {}, name), html("dd", {}, number(x))])));
  }
  const odd = [value.nan && `${value.nan} NaN`, value.infinite && `${value.infinite} infinite`, value.zeros && `${value.zeros} zeros`].filter(Boolean);
  out.push(html("p", { class: "facts" }, [shapeText(value), ...odd, !value.full && value.shape.length && (value.rows * value.columns < value.shape.reduce((a, b) => a * b, 1)) ? `a cell is the mean of a block` : null].filter(Boolean).join(" · ")));
  return out;
}

// -- actions -------------------------------------------------------------------------------------------------

function go(to) {
  at = Math.max(0, Math.min(steps.length, to));
  selected = keyOf(at ? steps[at - 1].box : data.loss);
  if (selected[0] === "g") selected = `b${steps[at - 1] ? steps[at - 1].box : data.loss}`;
  show();
  bringIntoView(keyOf(at ? steps[at - 1].box : data.loss));
  if (at === steps.length) pause();
}

function select(key, centre = false) {
  selected = key;
  show();
  if (centre) bringIntoView(key, true);
}

function toggle(group, fold) {
  const key = `g${group}`, before = seen[key];
  if (fold) folded.add(group); else folded.delete(group);
  draw();
  const now = seen[key];
  if (before && now) look({ x: view.x + (before[0] - now[0]) * view.k, y: view.y + (before[1] - now[1]) * view.k }); // it stays under the pointer
  select(fold ? key : selected);
  document.querySelector(`[data-key="${key}"]`)?.focus({ preventScroll: true });
}

function reveal(box) {
  const hidden = chain(boxes[box].group).filter((group) => folded.has(group));
  hidden.forEach((group) => folded.delete(group));
  if (hidden.length) draw();
}

const deepest = Math.max(0, ...groups.map((group, i) => (i && group.members.length ? group.depth - 1 : 0)));

function foldTo(depth) { // show modules this many levels deep
  folded.clear();
  groups.forEach((group, i) => { if (i && group.members.length && group.depth - 1 > depth) folded.add(i); });
  by("depth").value = Math.min(depth, deepest);
}

function foldAll(fold) {
  foldTo(fold ? 0 : deepest);
  draw();
  fit();
}

function unfoldToFit() { // as deep as the window has room for; what has no room at all is shown from its end, where the pass begins
  let depth = 0;
  for (let more = 1; more <= deepest; more++) {
    foldTo(more);
    seen = place()[0];
    if (Object.keys(seen).length > 400 || wholeScale() < READABLE) break;
    depth = more;
  }
  foldTo(depth);
  draw();
  fit();
  const [lx, ly, lw, lh] = seen[keyOf(data.loss)], [w, h] = stageSize();
  if (wholeScale() < READABLE / 2) look({ k: READABLE, x: w - (lx + lw) * READABLE - 40, y: h / 2 - (ly + lh / 2) * READABLE });
}

function play() {
  if (at === steps.length) go(0);
  const tick = () => { go(at + 1); if (playing) playing = setTimeout(tick, 900 / Number(by("speed").value)); };
  playing = setTimeout(tick, 250);
  by("play").textContent = "❚❚ Pause";
  by("play").setAttribute("aria-label", "Pause");
}

function pause() {
  clearTimeout(playing);
  playing = null;
  by("play").textContent = "▶ Play";
  by("play").setAttribute("aria-label", "Play");
}

let matches = [], match = -1;
function search(text) {
  const words = text.trim().toLowerCase();
  matches = [];
  if (words) boxes.forEach((box, i) => {
    const where = [box.label, box.name, box.module, box.line && box.line.text, box.kind];
    if (where.some((part) => part && part.toLowerCase().includes(words))) matches.push(i);
  });
  match = -1;
  by("found").textContent = words ? (matches.length === 1 ? "1 found" : `${matches.length} found`) : "";
  marks();
}

function marks() {
  const keys = new Set(matches.map(keyOf));
  for (const [key, element] of Object.entries(drawn)) {
    element.classList.toggle("match", keys.has(key));
    element.classList.toggle("dim", matches.length > 0 && !keys.has(key));
  }
}

function nextMatch(by_) {
  if (!matches.length) return;
  match = (match + by_ + matches.length) % matches.length;
  reveal(matches[match]);
  marks();
  select(`b${matches[match]}`, true);
  by("found").textContent = `${match + 1} of ${matches.length}`;
}

// -- view --------------------------------------------------------------------------------------------------

function look(to, smooth = false) {
  view = { ...view, ...to };
  by("world").style.transition = smooth && !matchMedia("(prefers-reduced-motion: reduce)").matches ? "transform 0.3s" : "none";
  by("world").style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.k})`;
}

function stageSize() { const r = by("stage").getBoundingClientRect(); return [r.width, r.height]; }

const READABLE = 0.55; // the scale below which texts are hard to read

function wholeScale() { // at which all of it is visible
  const [w, h] = stageSize(), [, , gw, gh] = seen.g0;
  return Math.min(w / (gw + 24), h / (gh + 24), 1.5);
}

function fit() {
  const [w, h] = stageSize(), [, , gw, gh] = seen.g0, k = wholeScale();
  look({ k, x: (w - gw * k) / 2, y: (h - gh * k) / 2 });
}

function bringIntoView(key, centre = false) {
  if (!seen[key]) return;
  const [x, y, bw, bh] = seen[key], [w, h] = stageSize(), margin = Math.min(60, w / 12);
  const left = view.x + x * view.k, top = view.y + y * view.k;
  if (!centre && left >= 0 && top >= 0 && left + bw * view.k <= w && top + bh * view.k <= h) return;
  if (centre) return look({ x: w / 2 - (x + bw / 2) * view.k, y: h / 2 - (y + bh / 2) * view.k }, true);
  const into = (start, length, room) => Math.max(margin - start, 0) || Math.min(room - margin - start - length, 0); // no further than needed
  const dx = into(left, bw * view.k, w), dy = into(top, bh * view.k, h);
  // A box from outside is brought well into view, with its inputs, where the pass will go next.
  if (dx || dy) look({ x: view.x + (dx > 0 ? dx + w / 3 : dx), y: view.y + dy }, true);
}

function zoom(factor, cx, cy) {
  const [w, h] = stageSize(), x = cx ?? w / 2, y = cy ?? h / 2, k = Math.max(0.03, Math.min(4, view.k * factor));
  look({ k, x: x - ((x - view.x) * k) / view.k, y: y - ((y - view.y) * k) / view.k });
}

const pointers = new Map();
let moved = 0;
by("graph").addEventListener("pointerdown", (event) => { pointers.set(event.pointerId, [event.clientX, event.clientY]); moved = 0; });
addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const dx = event.clientX - before[0], dy = event.clientY - before[1], r = by("stage").getBoundingClientRect();
  if (pointers.size === 2) { // two fingers
    const other = [...pointers].find(([id]) => id !== event.pointerId)[1], away = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
    zoom(away([event.clientX, event.clientY]) / Math.max(1, away(before)), other[0] - r.left, other[1] - r.top);
  } else look({ x: view.x + dx, y: view.y + dy });
  moved += Math.abs(dx) + Math.abs(dy);
  by("graph").classList.add("dragging");
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
});
for (const name of ["pointerup", "pointercancel"]) addEventListener(name, (event) => { pointers.delete(event.pointerId); by("graph").classList.remove("dragging"); });
by("graph").addEventListener("wheel", (event) => {
  event.preventDefault();
  const r = by("stage").getBoundingClientRect();
  zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 300), event.clientX - r.left, event.clientY - r.top);
}, { passive: false });

const keyAt = (event) => event.target.closest?.("[data-key]")?.dataset.key;
by("graph").addEventListener("click", (event) => {
  const key = keyAt(event);
  if (!key || moved > 5) return;
  if (key[0] === "g" && !folded.has(Number(key.slice(1)))) { if (event.target.classList.contains("bar")) toggle(Number(key.slice(1)), true); } else select(key);
});
by("graph").addEventListener("dblclick", (event) => { const key = keyAt(event); if (key && key[0] === "g" && folded.has(Number(key.slice(1)))) toggle(Number(key.slice(1)), false); });

const keys = {
  ArrowRight: () => go(at + 1), ArrowLeft: () => { pause(); go(at - 1); }, Home: () => { pause(); go(0); }, End: () => go(steps.length),
  " ": () => (playing ? pause() : play()), f: fit, u: () => foldAll(false), z: () => foldAll(true), t: () => by("theme").click(),
  "/": () => by("search").focus(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("#search")) {
    if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") { event.target.value = ""; search(""); by("graph").focus(); event.target.blur(); }
    return;
  }
  if (event.target.matches("select") || (event.target.matches("#at") && event.key.startsWith("Arrow"))) return;
  const key = keyAt(event);
  if (key && event.key === "Enter") {
    if (key[0] === "g") toggle(Number(key.slice(1)), !folded.has(Number(key.slice(1)))); else select(key);
  } else if (event.target.matches("button") && event.key === " ") return;
  else if (keys[event.key]) keys[event.key]();
  else return;
  event.preventDefault();
});
for (const [id, act] of Object.entries({
  first: () => { pause(); go(0); }, back: () => { pause(); go(at - 1); }, next: () => { pause(); go(at + 1); }, last: () => go(steps.length),
  play: () => (playing ? pause() : play()), fit, unfold: () => foldAll(false), fold: () => foldAll(true),
  theme: () => { document.documentElement.classList.toggle("dark"); draw(); },
})) by(id).addEventListener("click", act);
by("at").addEventListener("input", (event) => { pause(); go(Number(event.target.value)); });
by("search").addEventListener("input", (event) => search(event.target.value));

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => { document.documentElement.classList.toggle("dark", dark.matches); if (Object.keys(seen).length) draw(); };
dark.addEventListener("change", follow);
follow();
by("summary").textContent = data.summary;
by("at").max = steps.length;
by("depth").append(...Array.from({ length: deepest + 1 }, (_, i) => html("option", { value: i }, i === deepest ? "all" : String(i))));
by("depth").addEventListener("change", (event) => { foldTo(Number(event.target.value)); draw(); fit(); });
for (let i = 0; i < 10; i++) keys[i] = () => { foldTo(i); draw(); fit(); };
if (!deepest) by("fold").hidden = by("unfold").hidden = by("folding").hidden = true;
unfoldToFit();
addEventListener("resize", fit);
