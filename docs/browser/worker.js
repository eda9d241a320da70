// Runs Python away from the page, so that the page never freezes. Each message names a lesson, which
// is a tab of the page, and gets one answer: the state of its training, or an error, which leaves the
// training as it was. Python is loaded once, a lesson's files when its tab is first shown.

let python;
let versions;

async function fetched(name, method = "GET") {
  const response = await fetch(name, { method });
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response;
}

async function loadPython() {
  const [{ loadPyodide }, wheel] = await Promise.all([
    import("./pyodide/pyodide.mjs"),
    fetched("microgradlib.whl").then((response) => response.arrayBuffer()),
    fetched("pyodide/pyodide.asm.wasm", "HEAD"), // without it, Pyodide would wait for ever
  ]);
  const loaded = await loadPyodide();
  loaded.unpackArchive(wheel, "wheel");
  const version = loaded.runPython(
    "import importlib.metadata, sys\n" +
      "f'microgradlib {importlib.metadata.version(\"microgradlib\")} on CPython {sys.version.split()[0]}'",
  );
  versions = `${version}, compiled to WebAssembly by Pyodide ${loaded.version}`;
  python = loaded;
}

// A result of Python as a JavaScript value.
function plain(result) {
  if (typeof result !== "object") return result;
  const copy = result.toJs({ dict_converter: Object.fromEntries });
  result.destroy();
  return copy;
}

class Lesson {
  files; // the module that is imported, and what it needs
  lesson; // the module
  training; // its Training

  async load() {
    const [codes] = await Promise.all([
      Promise.all(this.files.map((name) => fetched(name).then((response) => response.text()))),
      python ?? loadPython(),
    ]);
    this.files.forEach((name, i) => python.FS.writeFile(name, codes[i]));
    this.lesson = python.pyimport(this.files[0].replace(".py", ""));
    return { code: codes.filter((_, i) => this.files[i].endsWith(".py")), versions };
  }

  ask(method, ...values) {
    return plain(this.training[method](...values));
  }

  state() {} // asks for the news alone

  rate({ rate }) {
    this.training.set_rate(rate);
  }
}

class Xor extends Lesson {
  files = ["train.py"];
  shown = 0; // how many losses the page knows

  restart({ seed, rate }) {
    const next = this.lesson.Training(seed, rate); // raises on bad values, and the old one stays
    this.training?.destroy();
    this.training = next;
    this.shown = 0;
    return { restarted: true };
  }

  // Train for some epochs, but no longer than some milliseconds; or for one example.
  train({ epochs, milliseconds, examples = 0 }) {
    const end = performance.now() + milliseconds;
    for (let i = 0; i < examples; i++) this.training.step();
    for (let i = 0; i < epochs && performance.now() < end; i++) this.training.epoch();
  }

  news({ surface }) {
    const { steps, loss } = this.training;
    const example = (steps ? steps - 1 : 0) % 4;
    const losses = this.ask("losses_since", this.shown);
    this.shown += losses.length;
    return {
      steps,
      loss,
      example,
      losses,
      parameters: this.ask("parameters"),
      outputs: this.ask("outputs"),
      neurons: this.ask("neurons", example),
      ...(surface && { surface: this.ask("surface") }),
    };
  }
}

class Gpt extends Lesson {
  files = ["learn_names.py", "nanogpt.py", "names.txt"];
  shown = [0, 0]; // how many losses and draws of names the page knows

  // The training stays, and what has been compiled for it: only its weights are new.
  restart({ seed, rate, temperature }) {
    if (this.training) this.training.restart(seed, rate);
    else this.training = this.lesson.Training(seed, rate, temperature);
    this.shown = [0, 0];
    return { restarted: true, sizes: this.ask("sizes") };
  }

  compile() {
    const start = performance.now();
    const lines = this.training.compile();
    return { lines, seconds: (performance.now() - start) / 1000 };
  }

  temperature({ temperature }) {
    this.training.set_temperature(temperature);
  }

  // Train for some milliseconds, or until names are drawn.
  train({ milliseconds }) {
    const end = performance.now() + milliseconds;
    while (performance.now() < end && !this.training.step_and_draw());
  }

  draw() {
    this.training.draw();
  }

  news() {
    const news = this.ask("news", ...this.shown);
    this.shown = [news.steps, this.shown[1] + news.samples.length];
    return news;
  }
}

const lessons = { xor: new Xor(), gpt: new Gpt() };

// What the last line of a Python traceback says, without the exception's name.
function explain(error) {
  const lines = error.message.trim().split("\n");
  return error.name === "PythonError" ? lines.at(-1).replace(/^[\w.]+: /, "") : lines[0];
}

async function attempt(task) {
  try {
    return await task();
  } catch (error) {
    return { error: explain(error) };
  }
}

async function answer({ lesson: name, task, ...values }) {
  const lesson = lessons[name];
  const found = await attempt(() => lesson[task](values));
  const news = lesson.training && (await attempt(() => lesson.news(values)));
  postMessage({ ...news, ...found });
}

let last = Promise.resolve(); // one after the other, as loading takes time
onmessage = ({ data }) => {
  last = last.then(() => answer(data));
};
