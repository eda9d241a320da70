// Run a program in Pyodide: node program.mjs PACKAGE_OF_PYODIDE FILE
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [pyodide, file] = process.argv.slice(2);
const { loadPyodide } = await import(`../../docs/browser/node_modules/${pyodide}/pyodide.mjs`);
const python = await loadPyodide();
const root = fileURLToPath(new URL("../../src", import.meta.url));
python.FS.mkdirTree("/src");
python.FS.mount(python.FS.filesystems.NODEFS, { root }, "/src");
python.runPython("import sys; sys.dont_write_bytecode = True; sys.path.insert(0, '/src')");
python.runPython(readFileSync(file, "utf8"));
