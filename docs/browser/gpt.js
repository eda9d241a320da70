// The tab that trains a small GPT on names: controls, and drawings of what the worker answers with.

"use strict";

{
const MEAN = 100; // losses of single names jump: the mean of so many is drawn, too
const NEWEST = 6; // draws of names that are shown, whatever their step

const losses = []; // of each step
const means = []; // of each step from the hundredth on
let total = 0; // of the losses that the next mean is about
let samples = []; // names and the step after which they were drawn
let sizes;

class Gpt extends Lesson {
  compiling = null; // the answer to come
  compiled = ""; // what it says
  pace = ""; // steps per second, as text

  async run() {
    const mine = (this.current = {});
    this.buttons();
    try {
      if (!this.compiled) await this.compile();
      if (this.current === mine && !samples.length) await this.wanted("draw");
      await this.train(mine);
    } catch ({ message }) {
      this.fail(message);
    }
    if (this.current === mine) await this.pause();
  }

  // Python first writes the loss and its gradient as one function. The page says so.
  async compile() {
    this.say(
      "Compiling the model: microgradlib notes each operation of one step, and writes a Python " +
        "function that computes the loss and its gradient. This takes some seconds, once.",
    );
    this.compiling ??= this.wanted("compile"); // "Start" may be pressed again meanwhile
    const { lines, seconds } = await this.compiling;
    this.compiled = `The loss and its gradient: ${grouped(lines)} lines of Python, written in ${seconds.toFixed(1)} s.`;
  }

  async train(mine) {
    const marks = []; // when how many steps were taken, of the last seconds
    if (this.current === mine) this.say(`Training. ${this.compiled}`);
    while (this.current === mine) {
      marks.push([performance.now(), losses.length]);
      if (marks.length > 2 && marks.at(-1)[0] - marks[1][0] > 3000) marks.shift();
      const [[before, first], [now, steps]] = [marks[0], marks.at(-1)];
      if (steps > first) this.pace = `, ${((1000 * (steps - first)) / (now - before)).toFixed(0)} steps a second`;
      await this.wanted("train", { milliseconds: calm.matches ? 1000 : 200 });
      if (document.hidden) await frame(); // until someone looks again
    }
  }

  // Ask, and raise what Python raises.
  async wanted(task, values) {
    const answer = await this.ask(task, values);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  async pause() {
    this.current = null;
    this.buttons();
    await this.ask("state");
    this.say("Paused.");
  }

  async draw() {
    this.forgive();
    try {
      if (!this.compiled) await this.compile();
      await this.wanted("draw");
      if (!this.current) this.say("New names are on top.");
    } catch ({ message }) {
      this.fail(message);
    }
  }

  receive(answer) {
    if (answer.restarted) {
      losses.length = means.length = samples.length = total = 0;
      this.pace = "";
      sizes = answer.sizes;
      showSizes();
      showSamples();
      showAttention();
    }
    if (!answer.losses) return;
    answer.losses.forEach(learn);
    showCurve();
    if (answer.samples.length) {
      for (const sample of answer.samples) samples.unshift(sample);
      samples = samples.filter(({ step }, i) => i < NEWEST || isMilestone(step));
      showSamples();
      showAttention(answer.attention);
    }
    this.progress();
  }

  buttons() {
    this.$("run").textContent = this.current ? "Pause" : "Start";
  }

  progress() {
    const { rate, seed } = this.settings;
    this.$("progress").textContent =
      `Step ${grouped(losses.length)}${this.pace}, learning rate ${rate}, seed ${seed}`;
  }

  begin(codes) {
    codes.forEach((code, i) => (this.$(`code-${i}`).textContent = code));
    this.$("draw").onclick = () => this.draw();
  }
}

// Numbers.

function learn(loss) {
  losses.push(loss);
  total += loss;
  if (losses.length < MEAN) return;
  means.push(total / MEAN);
  total -= losses.at(-MEAN);
}

// What is worth keeping: the names before the training, and after 100, 200, 400, 800 ... steps.
const isMilestone = (step) => step === 0 || Number.isInteger(Math.log2(step / 100));

// Drawing.

function showSizes() {
  const { parameters, layers, heads, width, positions, tokens, names } = sizes;
  $("gpt-sizes").textContent =
    `The architecture is nanoGPT's, in small: ${grouped(parameters)} parameters, ${layers} layer, ${heads} heads, ` +
    `vectors of ${width} numbers, ${positions} positions, ${tokens} tokens (the letters, and one for the start and ` +
    `the end). It learns from ${names} names.`;
}

function showCurve() {
  const svg = $("gpt-curve");
  const high = Math.min(10, losses.reduce((x, y) => Math.max(x, y), 3.6)); // bad rates go beyond
  const cut = (xs) => xs.map((x) => Math.min(x, high));
  const { curve, x, y } = axes(svg, "step", Math.max(100, losses.length), high);
  curve("each", cut(losses));
  const chance = y(Math.log(sizes.tokens));
  draw(svg, "line", { class: "chance", x1: x(0), x2: x(Math.max(100, losses.length)), y1: chance, y2: chance });
  curve("curve", cut(means), MEAN);
  if (means.length) put($("gpt-loss"), means.at(-1));
  else Object.assign($("gpt-loss"), { value: "", textContent: "after 100 steps" });
}

function showSamples() {
  $("gpt-samples").tBodies[0].replaceChildren();
  for (const { step, names, known } of samples) {
    const cell = document.createElement("span");
    names.forEach((name, i) => {
      const span = document.createElement("span");
      span.className = known[i] ? "known" : "new";
      span.textContent = name || "(no letter)";
      cell.append(span, " ");
    });
    row($("gpt-samples"), grouped(step), [cell]);
  }
  $("gpt-samples").hidden = !samples.length;
  $("gpt-none").hidden = samples.length > 0;
}

// One triangle of squares for each head: a row for the letter that asks, a column for each up to it.
function showAttention(heads = []) {
  $("gpt-heads").replaceChildren();
  if (!heads.length) {
    $("gpt-asked").textContent = "No name yet.";
    return;
  }
  const [{ step, names: [name] }] = samples;
  const letters = ["•", ...name];
  $("gpt-asked").textContent = name ? `In “${name}”, after ${grouped(step)} steps.` : "In a name without letters.";
  heads.forEach((rows, head) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = `Head ${head + 1}`;
    figure.append(caption);
    $("gpt-heads").append(figure);
    const label = `Head ${head + 1}: the attention of each letter of ${name || "no letter"} to those up to it`;
    const svg = draw(figure, "svg", { viewBox: "0 0 200 200", role: "img", "aria-label": label });
    const [edge, side] = [20, 178 / letters.length];
    const middle = (i) => edge + (i + 0.5) * side;
    letters.forEach((letter, i) => {
      draw(svg, "text", { x: middle(i), y: 14, "text-anchor": "middle" }, letter);
      draw(svg, "text", { x: 8, y: middle(i) + 4.5, "text-anchor": "middle" }, letter);
    });
    rows.forEach((shares, i) =>
      shares.forEach((share, j) => {
        const place = { x: edge + j * side, y: edge + i * side, width: side - 1, height: side - 1 };
        const cell = draw(svg, "rect", { class: "share", ...place });
        cell.style.fill = `color-mix(in srgb, var(--blue) ${100 * share}%, var(--middle))`;
        draw(cell, "title", {}, `${letters[i]} to ${letters[j]}: ${share.toFixed(2)}`);
      }),
    );
  });
}

// Start.

const FIELDS = {
  rate: {
    read: readNumber,
    wanted: "a number such as 0.005",
    apply: async (rate) => (await gpt.ask("rate", { rate })).error,
  },
  temperature: {
    read: readNumber,
    wanted: "a number such as 0.5",
    apply: async (temperature) => (await gpt.ask("temperature", { temperature })).error,
  },
  seed: {
    read: readWhole,
    wanted: "a whole number such as 1337",
    apply: (seed) => gpt.reset(seed),
  },
};

const gpt = (lessons.gpt = new Gpt("gpt", "gpt-", FIELDS, { rate: 0.005, temperature: 0.5, seed: 1337n }));
}
