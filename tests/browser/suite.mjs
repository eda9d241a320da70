// Run pytest in Pyodide: node suite.mjs DIRECTORY_OF_PACKAGES ARGUMENT...
import { fileURLToPath } from "node:url";
import { loadPyodide } from "../../docs/browser/node_modules/pyodide/pyodide.mjs";

const [packages, ...options] = process.argv.slice(2);
const python = await loadPyodide();
for (const [place, root] of [
  ["/packages", packages],
  ["/project", fileURLToPath(new URL("../..", import.meta.url))],
]) {
  python.FS.mkdirTree(place);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, place);
}
python.globals.set("options", python.toPy(options));
process.exitCode = python.runPython(`
import os, sys
sys.dont_write_bytecode = True
sys.path[:0] = ["/packages", "/project/src"]
os.chdir("/project")
import pytest
int(pytest.main(["-p", "no:cacheprovider", *options]))
`);
