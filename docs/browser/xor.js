// The tab that trains XOR: controls, and drawings of the state that the worker answers with.

"use strict";

{
const EXAMPLES = [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]; // two inputs and the target

let last; // the newest state
const losses = [];

const epochs = () => Math.floor(last.steps / EXAMPLES.length);

// Training. The page asks for some epochs per frame, so it stays in charge: what it shows is what the
// worker has, and after "Pause" nothing goes on.

class Xor extends Lesson {
  async run() {
    if (epochs() >= this.settings.last) {
      this.say("The epoch to pause at is reached: choose a later one, or reset.");
      return;
    }
    const mine = (this.current = {});
    this.buttons();
    this.say("Training.");
    let drawn = -Infinity; // when the plane was drawn
    while (this.current === mine && epochs() < this.settings.last) {
      const surface = performance.now() - drawn > 250;
      if (surface) drawn = performance.now();
      const wanted = Number($("speed").value) * (calm.matches ? 30 : 1);
      const { error } = await this.ask("train", {
        epochs: Math.min(wanted, this.settings.last - epochs()),
        milliseconds: calm.matches ? 400 : 30,
        surface,
      });
      if (error) {
        this.fail(error);
        break;
      }
      await frame();
    }
    if (this.current === mine) await this.pause();
  }

  async pause() {
    this.current = null;
    this.buttons();
    await this.ask("state", { surface: true });
    this.say(`Paused. ${verdict()}`);
  }

  async step(values) {
    this.forgive();
    const { error } = await this.ask("train", { epochs: 0, milliseconds: Infinity, surface: true, ...values });
    if (error) this.fail(error);
    else this.say("One step further.");
  }

  receive(answer) {
    if (answer.restarted) losses.length = 0;
    if (!answer.losses) return;
    last = { ...last, ...answer };
    for (const loss of answer.losses) losses.push(loss);
    showNetwork(last);
    showTables(last);
    showCurve();
    if (answer.surface) showPlane(answer.surface);
    this.progress();
  }

  buttons() {
    $("run").textContent = this.current ? "Pause" : "Start";
    $("step").disabled = $("epoch").disabled = this.current !== null;
  }

  progress() {
    const inside = last.steps % EXAMPLES.length;
    $("progress").textContent =
      `Epoch ${grouped(epochs())}${inside ? ` and ${inside} of 4 examples` : ""}, ` +
      `learning rate ${this.settings.rate}, seed ${this.settings.seed}`;
  }

  begin([code]) {
    drawNetwork();
    drawPredictions();
    drawPlane();
    $("code").textContent = code;
    $("step").onclick = () => this.step({ examples: 1 });
    $("epoch").onclick = () => this.step({ epochs: 1 });
    dark.onchange = () => showPlane(last.surface);
  }
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

const rows = {}; // of each parameter and each example: its numbers

function drawParameter(parameter) {
  rows[parameter] = [document.createElement("data"), document.createElement("data")];
  row($("parameters"), parameter, rows[parameter]);
}

function drawPredictions() {
  EXAMPLES.forEach(([, , target], i) => {
    const [number, bar] = [document.createElement("data"), document.createElement("div")];
    bar.className = "bar";
    bar.style.setProperty("--target", `${100 * target}%`);
    rows[i] = { number, bar, row: row($("predictions"), name(i), [String(target), number, bar]) };
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

function showCurve() {
  const high = losses.reduce((x, y) => Math.max(x, y), 0.3);
  axes($("curve"), "epoch", Math.max(100, losses.length), high).curve("curve", losses);
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

const FIELDS = {
  rate: {
    read: readNumber,
    wanted: "a number such as 0.1",
    apply: async (rate) => (await xor.ask("rate", { rate })).error,
  },
  seed: {
    read: readWhole,
    wanted: "a whole number such as 42",
    apply: (seed) => xor.reset(seed),
  },
  last: {
    read: (text) => (/^\d+$/.test(text) && Number(text) > 0 ? Number(text) : NaN),
    wanted: "a whole number above 0, such as 10000",
    apply: async () => "",
  },
};

const xor = (lessons.xor = new Xor("xor", "", FIELDS, { rate: 0.1, seed: 42n, last: 10000 }));
}
