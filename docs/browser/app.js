// What the tabs share: the worker that runs Python, the choice of a tab, settings, and drawing.

"use strict";

const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");

// Wait until it is time to draw again; rarely for those who prefer little motion.
const frame = () =>
  new Promise((resolve) => (calm.matches ? setTimeout(resolve, 500) : requestAnimationFrame(resolve)));

// The worker answers every message, in order.

const SERVE =
  "A page that is opened as a file may not load Python. Serve its directory instead, with " +
  "python -m http.server, and open the address that it prints.";
const REBUILD =
  "Put the page together again with assemble.py, serve the whole directory that it writes, and reload.";

let worker;
const waiting = [];

function startWorker() {
  if (location.protocol === "file:") throw new Error(SERVE);
  if (!window.WebAssembly) throw new Error("This browser has no WebAssembly: open the page in a newer one.");
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => waiting.shift()(data);
  worker.onerror = () => {
    worker = undefined; // the other tab may try again
    for (const resolve of waiting.splice(0)) resolve({ error: "worker.js cannot be run" });
  };
}

function post(message) {
  if (!worker) startWorker();
  worker.postMessage(message);
  return new Promise((resolve) => waiting.push(resolve));
}

// A lesson is what a tab is for. Its elements have ids with a prefix of their own.

class Lesson {
  loaded = false;
  current = null; // the run that is under way

  constructor(name, prefix, fields, settings) {
    Object.assign(this, { name, prefix, fields, settings });
  }

  $(id) {
    return $(this.prefix + id);
  }

  async ask(task, values = {}) {
    const answer = await post({ lesson: this.name, task, ...values });
    this.receive(answer);
    return answer;
  }

  say(text) {
    if (this.$("status").textContent !== text) this.$("status").textContent = text;
  }

  fail(message) {
    this.$("alert").textContent = message;
    this.$("alert").hidden = false;
  }

  forgive() {
    this.$("alert").hidden = true;
  }

  async toggle() {
    this.forgive();
    await (this.current ? this.pause() : this.run());
  }

  async leave() {
    if (this.current) await this.pause();
  }

  async reset(seed = this.settings.seed) {
    this.current = null;
    this.forgive();
    const { error } = await this.ask("restart", { ...this.settings, seed, surface: true });
    this.buttons();
    if (!error && !this.current) this.say("New weights, not trained yet."); // or "Start" was pressed
    return error;
  }

  // Load the lesson's Python when its tab is first shown. If that fails, the page needs mending.
  async show() {
    if (this.loaded) return;
    this.loaded = true;
    try {
      const answer = await this.ask("load");
      if (answer.error) throw new Error(`Python could not be loaded: ${answer.error}. ${REBUILD}`);
      this.$("panels").hidden = false;
      this.begin(answer.code);
      await this.reset();
      $("versions").textContent = answer.versions;
      this.$("run").onclick = () => this.toggle();
      this.$("reset").onclick = () => this.reset();
      for (const name of Object.keys(this.fields)) this.$(name).onchange = () => this.change(name);
      this.$("controls").onsubmit = (event) => event.preventDefault();
      for (const control of this.$("controls").elements) control.disabled = false;
      this.buttons();
      this.say("Ready.");
    } catch ({ message }) {
      this.say("Python is not running.");
      this.fail(message);
    }
  }

  // A bad setting is refused, with the reason below the controls, and the old one stays.
  async change(name) {
    const { read, wanted, apply } = this.fields[name];
    const field = this.$(name);
    const value = read(field.value.trim());
    let error = `“${field.value}” is not ${wanted}`;
    if (!Number.isNaN(value)) {
      const old = this.settings[name];
      this.settings[name] = value; // before Python answers: "Reset" may come first
      error = await apply(value);
      if (error) this.settings[name] = old;
    }
    const label = document.querySelector(`label[for=${field.id}]`).textContent;
    this.$(`${name}-error`).textContent = error
      ? `${label}: ${error}. Still in force: ${this.settings[name]}.`
      : "";
    field.setAttribute("aria-invalid", Boolean(error));
    this.progress();
  }
}

const readNumber = (text) => (text === "" ? NaN : Number(text));
const readWhole = (text) => (/^[+-]?\d+$/.test(text) ? BigInt(text.replace("+", "")) : NaN);

// Numbers.

function fixed(x) {
  const text = Math.abs(x) < 1000 ? x.toFixed(4) : x.toExponential(2);
  return (Number(text) === 0 ? text.replace("-", "") : text).replaceAll("-", "−");
}

const grouped = (x) => x.toLocaleString("en");

function put(element, x) {
  element.value = String(x); // a <data> element holds all digits
  element.textContent = fixed(x);
}

// Drawing.

function draw(parent, tag, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  parent.append(element);
  return element;
}

function row(table, header, cells) {
  const tr = table.tBodies[0].insertRow();
  const th = document.createElement("th");
  th.scope = "row";
  th.textContent = header;
  tr.append(th);
  for (const cell of cells) tr.insertCell().append(cell);
  return tr;
}

function ticks(end, most) {
  const power = 10 ** Math.floor(Math.log10(end / most));
  const size = [1, 2, 5, 10].map((x) => x * power).find((x) => end / x <= most);
  return Array.from({ length: Math.floor(end / size + 1e-9) + 1 }, (_, i) => i * size);
}

// Clear a plot of losses, draw its axes, and return the functions that place and draw a curve.
function axes(svg, unit, end, high) {
  svg.replaceChildren();
  const [left, right, top, bottom] = [34, 374, 10, 180];
  const x = (count) => left + ((right - left) * count) / end;
  const y = (loss) => bottom - ((bottom - top) * loss) / high;
  for (const loss of ticks(high, 4)) {
    draw(svg, "line", { class: "axis", x1: left, x2: right, y1: y(loss), y2: y(loss) });
    draw(svg, "text", { x: left - 6, y: y(loss) + 4, "text-anchor": "end" }, loss.toFixed(1));
  }
  for (const count of ticks(end, 4)) {
    draw(svg, "text", { x: x(count), y: bottom + 17, "text-anchor": "middle" }, grouped(count));
  }
  draw(svg, "text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, unit);
  // Losses of one count after the other, from the first; not more than 400 points of them.
  function curve(kind, losses, first = 1) {
    const stride = Math.ceil(losses.length / 400);
    const at = (i) => `${x(i + first).toFixed(1)},${y(losses[i]).toFixed(1)}`;
    const points = losses.map((_, i) => i).filter((i) => i % stride === 0 || i === losses.length - 1);
    draw(svg, "polyline", { class: kind, points: points.map(at).join(" ") });
  }
  return { x, y, curve };
}

// Tabs: the address says which one is shown, so that reloading and "back" keep to it.

const lessons = {}; // by the name of the tab

const chosen = () => (lessons[location.hash.slice(1)] ? location.hash.slice(1) : "xor");

function choose() {
  for (const [name, lesson] of Object.entries(lessons)) {
    const shown = name === chosen();
    const tab = $(`tab-${name}`);
    tab.setAttribute("aria-selected", shown);
    tab.tabIndex = shown ? 0 : -1;
    $(`panel-${name}`).hidden = !shown;
    if (shown) document.title = `${tab.dataset.title}, learnt in your browser · microgradlib`;
    else lesson.leave();
  }
  lessons[chosen()].show();
}

const MOVES = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

function moveTab(event) {
  const names = Object.keys(lessons);
  if (event.key === " ") event.target.click(); // a link would not act on it
  else if (MOVES[event.key]) {
    const place = names.indexOf(chosen()) + MOVES[event.key];
    const next = Number.isFinite(place) ? (place + names.length) % names.length : place < 0 ? 0 : names.length - 1;
    location.hash = names[next];
    $(`tab-${names[next]}`).focus();
  } else return;
  event.preventDefault();
}

addEventListener("DOMContentLoaded", () => {
  $("tabs").onkeydown = moveTab;
  addEventListener("hashchange", choose);
  choose();
});
