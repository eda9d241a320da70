// The page: controls, and drawings of the state that the worker answers with.

"use strict";

const $ = (id) => document.getElementById(id);
const EXAMPLES = [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]; // two inputs and the target
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");

// The worker answers every message, in order.

let worker;
const waiting = [];

function ask(task, values = {}) {
  worker.postMessage({ task, ...values });
  return new Promise((resolve) => waiting.push(resolve));
}

function receive(answer) {
  if (answer.restarted) losses.length = 0;
  if (answer.losses) show(answer);
  waiting.shift()(answer);
}

function fail(message) {
  $("alert").textContent = message;
  $("alert").hidden = false;
}

// Training. The page asks for some epochs per frame, so it stays in charge: what it shows is what the
// worker has, and after "Pause" nothing goes on.

let current = null; // the run that is under way
let last; // the newest state
const losses = [];
const settings = { rate: 0.1, seed: 42n, last: 10000 };

const epochs = () => Math.floor(last.steps / EXAMPLES.length);

// Wait until it is time to draw again; rarely for those who prefer little motion.
const frame = () =>
  new Promise((resolve) => (calm.matches ? setTimeout(resolve, 500) : requestAnimationFrame(resolve)));

async function run() {
  const mine = (current = {});
  buttons();
  say("Training.");
  let drawn = -Infinity; // when the plane was drawn
  while (current === mine && epochs() < settings.last) {
    const surface = performance.now() - drawn > 250;
    if (surface) drawn = performance.now();
    const wanted = Number($("speed").value) * (calm.matches ? 30 : 1);
    const { error } = await ask("train", {
      epochs: Math.min(wanted, settings.last - epochs()),
      milliseconds: calm.matches ? 400 : 30,
      surface,
    });
    if (error) {
      fail(error);
      break;
    }
    await frame();
  }
  if (current === mine) await pause();
}

async function pause() {
  current = null;
  buttons();
  await ask("state", { surface: true });
  say(`Paused. ${verdict()}`);
}

async function toggle() {
  $("alert").hidden = true;
  if (current) await pause();
  else if (epochs() < settings.last) await run();
  else say("The epoch to pause at is reached: choose a later one, or reset.");
}

async function step(values) {
  $("alert").hidden = true;
  const { error } = await ask("train", { epochs: 0, milliseconds: Infinity, surface: true, ...values });
  if (error) fail(error);
  else say("One step further.");
}

async function reset(seed = settings.seed) {
  current = null;
  $("alert").hidden = true;
  const { error } = await ask("restart", { seed, rate: settings.rate, surface: true });
  buttons();
  if (!error) say("New weights, not trained yet.");
  return error;
}

function say(text) {
  if ($("status").textContent !== text) $("status").textContent = text;
}

function buttons() {
  $("run").textContent = current ? "Pause" : "Start";
  $("step").disabled = $("epoch").disabled = current !== null;
}

// Settings: a bad one is refused, with the reason below the controls, and the old one stays.

const FIELDS = {
  rate: {
    read: (text) => (text === "" ? NaN : Number(text)),
    wanted: "a number such as 0.1",
    apply: async (rate) => (await ask("rate", { rate })).error,
  },
  seed: {
    read: (text) => (/^[+-]?\d+$/.test(text) ? BigInt(text.replace("+", "")) : NaN),
    wanted: "a whole number such as 42",
    apply: reset,
  },
  last: {
    read: (text) => (/^\d+$/.test(text) && Number(text) > 0 ? Number(text) : NaN),
    wanted: "a whole number above 0, such as 10000",
    apply: async () => "",
  },
};

async function change(name) {
  const { read, wanted, apply } = FIELDS[name];
  const value = read($(name).value.trim());
  const error = Number.isNaN(value) ? `“${$(name).value}” is not ${wanted}` : await apply(value);
  if (!error) settings[name] = value;
  const label = document.querySelector(`label[for=${name}]`).textContent;
  $(`${name}-error`).textContent = error ? `${label}: ${error}. Still in force: ${settings[name]}.` : "";
  $(name).setAttribute("aria-invalid", Boolean(error));
  progress();
}

// Numbers.

function fixed(x) {
  const text = Math.abs(x) < 1000 ? x.toFixed(4) : x.toExponential(2);
  return (Number(text) === 0 ? text.replace("-", "") : text).replaceAll("-", "−");
}

function put(element, x) {
  element.value = String(x); // a <data> element holds all digits
  element.textContent = fixed(x);
}

const name = (example) => EXAMPLES[example].slice(0, 2).join("");

function verdict() {
  const off = EXAMPLES.map((_, i) => i).filter((i) => !(Math.abs(last.outputs[i] - EXAMPLES[i][2]) <= 0.25));
  if (!off.length) return "Learnt: every output is within 0.25 of its target.";
  const missed = off.map(name).join(", ").replace(/, (\d+)$/, " and $1");
  return `Not learnt yet: ${missed} ${off.length > 1 ? "are" : "is"} more than 0.25 off target.`;
}

// Colours: orange below, blue above. Small numbers show, as colour grows with their square root.

function tint(x, full, middle, strength = 100) {
  const share = strength * Math.sqrt(Math.min(1, Math.abs(x) / full));
  return `color-mix(in srgb, var(--${x < 0 ? "orange" : "blue"}) ${share}%, var(--${middle}))`;
}

function channels(variable) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

// Drawing.

function draw(parent, tag, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  parent.append(element);
  return element;
}

const NODES = {
  "input 1": [34, 110, 74],
  "input 2": [34, 250, 294],
  "hidden 1": [205, 110, 36],
  "hidden 2": [205, 250, 333],
  output: [360, 180, 144],
}; // where each is, and how low its name
const EDGES = [
  ["fc1.weight.0.0", "input 1", "hidden 1", 0.5],
  ["fc1.weight.0.1", "input 2", "hidden 1", 0.33],
  ["fc1.weight.1.0", "input 1", "hidden 2", 0.33],
  ["fc1.weight.1.1", "input 2", "hidden 2", 0.5],
  ["fc2.weight.0.0", "hidden 1", "output", 0.45],
  ["fc2.weight.0.1", "hidden 2", "output", 0.45],
]; // from, to, and where along it the numbers are
const BIASES = [
  ["fc1.bias.0", 205, 62],
  ["fc1.bias.1", 205, 298],
  ["fc2.bias.0", 360, 229],
];
const RADIUS = 26;

const chips = {}; // of each parameter: the two numbers, what is below the second, and the edge
const circles = {}; // of each node: its number

function chip(parameter, x, y) {
  const svg = $("network");
  draw(svg, "rect", { class: "chip", x: x - 37, y: y - 18, width: 74, height: 36, rx: 5 });
  const below = draw(svg, "rect", { x: x - 36, y, width: 72, height: 17, rx: 4 });
  const value = draw(svg, "text", { x, y: y - 4 });
  const gradient = draw(svg, "text", { class: "gradient", x, y: y + 13 });
  Object.assign((chips[parameter] ??= {}), { below, value, gradient });
}

function drawNetwork() {
  const svg = $("network");
  for (const [parameter, from, to] of EDGES) {
    const [[x1, y1], [x2, y2]] = [NODES[from], NODES[to]];
    chips[parameter] = { edge: draw(svg, "line", { class: "edge", x1, y1, x2, y2 }) };
  }
  for (const [label, [x, y, low]] of Object.entries(NODES)) {
    draw(svg, "circle", { class: "neuron", cx: x, cy: y, r: RADIUS });
    circles[label] = draw(svg, "text", { class: "inside", x, y: y + 4.5 });
    draw(svg, "text", { class: "name", x, y: low }, label);
  }
  for (const [parameter, from, to, share] of EDGES) {
    const [[x1, y1], [x2, y2]] = [NODES[from], NODES[to]];
    chip(parameter, x1 + share * (x2 - x1), y1 + share * (y2 - y1));
  }
  for (const bias of BIASES) chip(...bias);
}

function showNetwork({ parameters, neurons, example, steps, loss }) {
  for (const [parameter, [value, gradient]] of Object.entries(parameters)) {
    const parts = chips[parameter];
    parts.value.textContent = fixed(value);
    parts.gradient.textContent = `∂ ${fixed(gradient)}`;
    parts.below.style.fill = tint(gradient, 0.1, "middle", 45);
    if (!parts.edge) continue;
    parts.edge.style.stroke = tint(value, 8, "zero");
    parts.edge.style.strokeWidth = 1.5 + 6 * Math.sqrt(Math.min(1, Math.abs(value) / 8));
  }
  const shown = [...EXAMPLES[example].slice(0, 2), ...neurons.map(fixed)];
  Object.values(circles).forEach((text, i) => (text.textContent = shown[i]));
  $("last-step").textContent = steps
    ? `Last step: inputs ${name(example)}, target ${EXAMPLES[example][2]}; its loss was ${fixed(loss)}.`
    : `No step yet. First will be: inputs ${name(0)}, target ${EXAMPLES[0][2]}.`;
}

function row(table, header, cells) {
  const tr = $(table).tBodies[0].insertRow();
  const th = document.createElement("th");
  th.scope = "row";
  th.textContent = header;
  tr.append(th);
  for (const cell of cells) tr.insertCell().append(cell);
  return tr;
}

const rows = {}; // of each parameter and each example: its numbers

function drawParameter(parameter) {
  rows[parameter] = [document.createElement("data"), document.createElement("data")];
  row("parameters", parameter, rows[parameter]);
}

function drawPredictions() {
  EXAMPLES.forEach(([, , target], i) => {
    const [number, bar] = [document.createElement("data"), document.createElement("div")];
    bar.className = "bar";
    bar.style.setProperty("--target", `${100 * target}%`);
    rows[i] = { number, bar, row: row("predictions", name(i), [String(target), number, bar]) };
  });
}

function showTables({ parameters, outputs, example, steps }) {
  for (const [parameter, pair] of Object.entries(parameters)) {
    if (!rows[parameter]) drawParameter(parameter);
    pair.forEach((x, i) => put(rows[parameter][i], x));
  }
  outputs.forEach((output, i) => {
    put(rows[i].number, output);
    rows[i].bar.style.setProperty("--share", `${100 * output}%`);
    if (steps && i === example) rows[i].row.setAttribute("aria-current", "step");
    else rows[i].row.removeAttribute("aria-current");
  });
  $("verdict").textContent = verdict();
}

function ticks(end, most) {
  const power = 10 ** Math.floor(Math.log10(end / most));
  const size = [1, 2, 5, 10].map((x) => x * power).find((x) => end / x <= most);
  return Array.from({ length: Math.floor(end / size + 1e-9) + 1 }, (_, i) => i * size);
}

function showCurve() {
  const svg = $("curve");
  svg.replaceChildren();
  const [left, right, top, bottom] = [34, 374, 10, 180];
  const end = Math.max(100, losses.length);
  const high = losses.reduce((x, y) => Math.max(x, y), 0.3);
  const x = (epoch) => left + ((right - left) * epoch) / end;
  const y = (loss) => bottom - ((bottom - top) * loss) / high;
  for (const loss of ticks(high, 4)) {
    draw(svg, "line", { class: "axis", x1: left, x2: right, y1: y(loss), y2: y(loss) });
    draw(svg, "text", { x: left - 6, y: y(loss) + 4, "text-anchor": "end" }, loss.toFixed(1));
  }
  for (const epoch of ticks(end, 4)) {
    draw(svg, "text", { x: x(epoch), y: bottom + 17, "text-anchor": "middle" }, epoch.toLocaleString("en"));
  }
  draw(svg, "text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, "epoch");
  const stride = Math.ceil(losses.length / 400);
  const at = (i) => `${x(i + 1).toFixed(1)},${y(losses[i]).toFixed(1)}`;
  const points = losses.map((_, i) => i).filter((i) => i % stride === 0 || i === losses.length - 1);
  draw(svg, "polyline", { class: "curve", points: points.map(at).join(" ") });
  if (losses.length) put($("loss"), losses.at(-1));
  else Object.assign($("loss"), { value: "", textContent: "none yet" });
}

const toPlane = (x) => 280 * ((x + 0.25) / 1.5); // from an input to the pixels of the axes
let half; // the line where the output is 0.5

function drawPlane() {
  const svg = $("plane-axes");
  half = draw(svg, "path", { class: "half" });
  draw(svg, "rect", { class: "frame", x: 32, y: 8, width: 280, height: 280 });
  for (const at of [0, 1]) {
    draw(svg, "text", { x: 32 + toPlane(at), y: 304, "text-anchor": "middle" }, String(at));
    draw(svg, "text", { x: 24, y: 292 - toPlane(at), "text-anchor": "end" }, String(at));
  }
  draw(svg, "text", { x: 172, y: 304, "text-anchor": "middle" }, "first input");
  draw(svg, "text", { transform: "translate(22 148) rotate(-90)", "text-anchor": "middle" }, "second input");
  for (const [a, b, target] of EXAMPLES) {
    const [x, y] = [32 + toPlane(a), 288 - toPlane(b)];
    if (target) draw(svg, "rect", { class: "point", x: x - 7, y: y - 7, width: 14, height: 14 });
    else draw(svg, "circle", { class: "point", cx: x, cy: y, r: 8 });
  }
}

function showPlane(outputs) {
  const size = Math.sqrt(outputs.length);
  const [orange, middle, blue] = ["--orange", "--middle", "--blue"].map(channels);
  const context = $("plane").getContext("2d");
  const image = context.createImageData(size, size);
  outputs.forEach((output, i) => {
    const share = Math.abs(2 * output - 1);
    const end = output < 0.5 ? orange : blue;
    const pixel = 4 * ((size - 1 - Math.floor(i / size)) * size + (i % size)); // the second input goes up
    for (let c = 0; c < 3; c++) image.data[pixel + c] = middle[c] + share * (end[c] - middle[c]);
    image.data[pixel + 3] = 255;
  });
  context.putImageData(image, 0, 0);
  half.setAttribute("d", contour(outputs, size, 0.5));
}

// The line of a level through a grid: in each cell, join the points where its sides cross the level.
function contour(grid, size, level) {
  const place = (column, line) => `${32 + (280 * (column + 0.5)) / size} ${288 - (280 * (line + 0.5)) / size}`;
  let path = "";
  for (let line = 0; line + 1 < size; line++) {
    for (let column = 0; column + 1 < size; column++) {
      const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([i, j]) => [column + i, line + j]);
      const crossings = [];
      corners.forEach(([i, j], k) => {
        const [p, q] = corners[(k + 1) % 4];
        const [a, b] = [grid[j * size + i] - level, grid[q * size + p] - level];
        if (a < 0 === b < 0) return;
        const share = a / (a - b);
        crossings.push(place(i + share * (p - i), j + share * (q - j)));
      });
      for (let k = 0; k < crossings.length; k += 2) path += `M${crossings[k]}L${crossings[k + 1]}`;
    }
  }
  return path;
}

function progress() {
  const inside = last.steps % EXAMPLES.length;
  $("progress").textContent =
    `Epoch ${epochs().toLocaleString("en")}${inside ? ` and ${inside} of 4 examples` : ""}, ` +
    `learning rate ${settings.rate}, seed ${settings.seed}`;
}

function show(answer) {
  last = { ...last, ...answer };
  for (const loss of answer.losses) losses.push(loss);
  showNetwork(last);
  showTables(last);
  showCurve();
  if (answer.surface) showPlane(answer.surface);
  progress();
}

// Start.

const SERVE =
  "A page that is opened as a file may not load Python. Serve its directory instead, with " +
  "python -m http.server, and open the address that it prints.";
const REBUILD =
  "Put the page together again with assemble.py, serve the whole directory that it writes, and reload.";

async function start() {
  if (location.protocol === "file:") throw new Error(SERVE);
  if (!window.WebAssembly) throw new Error("This browser has no WebAssembly: open the page in a newer one.");
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => receive(data);
  const broken = new Promise((resolve) => (worker.onerror = resolve));
  const answer = await Promise.race([ask("load"), broken.then(() => ({ error: "worker.js cannot be run" }))]);
  if (answer.error) throw new Error(`Python could not be loaded: ${answer.error}. ${REBUILD}`);
  drawNetwork();
  drawPredictions();
  drawPlane();
  $("panels").hidden = false;
  await reset();
  $("code").textContent = answer.code;
  $("versions").textContent = answer.versions;
  $("run").onclick = toggle;
  $("step").onclick = () => step({ examples: 1 });
  $("epoch").onclick = () => step({ epochs: 1 });
  $("reset").onclick = () => reset();
  for (const name of Object.keys(FIELDS)) $(name).onchange = () => change(name);
  $("controls").onsubmit = (event) => event.preventDefault();
  dark.onchange = () => showPlane(last.surface);
  for (const control of $("controls").elements) control.disabled = false;
  buttons();
  say("Ready.");
}

start().catch(({ message }) => {
  say("Python is not running.");
  fail(message);
});
