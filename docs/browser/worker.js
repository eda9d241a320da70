// Runs train.py in Python, away from the page, so that the page never freezes. Each message gets one
// answer: the state of the training, or an error, which leaves the training as it was.

let lesson; // the module train.py
let training; // its Training
let shown = 0; // how many losses the page knows

async function fetched(name, method = "GET") {
  const response = await fetch(name, { method });
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response;
}

async function load() {
  const [{ loadPyodide }, wheel, code] = await Promise.all([
    import("./pyodide/pyodide.mjs"),
    fetched("microgradlib.whl").then((response) => response.arrayBuffer()),
    fetched("train.py").then((response) => response.text()),
    fetched("pyodide/pyodide.asm.wasm", "HEAD"), // without it, Pyodide would wait for ever
  ]);
  const python = await loadPyodide();
  python.unpackArchive(wheel, "wheel");
  python.FS.writeFile("train.py", code);
  lesson = python.pyimport("train");
  const version = python.runPython(
    "import importlib.metadata, sys\n" +
      "f'microgradlib {importlib.metadata.version(\"microgradlib\")} on CPython {sys.version.split()[0]}'",
  );
  return { code, versions: `${version}, compiled to WebAssembly by Pyodide ${python.version}` };
}

// Call a method of the training; return its result as a JavaScript value.
function ask(method, ...values) {
  const result = training[method](...values);
  if (typeof result !== "object") return result;
  const copy = result.toJs({ dict_converter: Object.fromEntries });
  result.destroy();
  return copy;
}

function restart({ seed, rate }) {
  const next = lesson.Training(seed, rate); // raises on bad values, and the old one stays
  training?.destroy();
  training = next;
  shown = 0;
  return { restarted: true };
}

// Train for some epochs, but no longer than some milliseconds; or for one example.
function train({ epochs, milliseconds, examples = 0 }) {
  const end = performance.now() + milliseconds;
  for (let i = 0; i < examples; i++) training.step();
  for (let i = 0; i < epochs && performance.now() < end; i++) training.epoch();
}

function state({ surface }) {
  const { steps, loss } = training;
  const example = (steps ? steps - 1 : 0) % 4;
  const losses = ask("losses_since", shown);
  shown += losses.length;
  return {
    steps,
    loss,
    example,
    losses,
    parameters: ask("parameters"),
    outputs: ask("outputs"),
    neurons: ask("neurons", example),
    ...(surface && { surface: ask("surface") }),
  };
}

// What the last line of a Python traceback says, without the exception's name.
function explain(error) {
  const lines = error.message.trim().split("\n");
  return error.name === "PythonError" ? lines.at(-1).replace(/^[\w.]+: /, "") : lines[0];
}

const tasks = { load, restart, train, state: () => {}, rate: ({ rate }) => training.set_rate(rate) };

onmessage = async ({ data }) => {
  let answer;
  try {
    answer = await tasks[data.task](data);
  } catch (error) {
    answer = { error: explain(error) };
  }
  postMessage(training ? { ...answer, ...state(data) } : answer);
};
