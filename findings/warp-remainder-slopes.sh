#!/usr/bin/env bash
# Warp 1.19.0: the gradient of mod and % is 0 in the divisor, and that of frac is 0 everywhere.
#
# x - n y has the slope -n in y. For -7.3 and 2.0 wp.mod and % both give -1.3, which is x + 3 y, so that
# the slope is 3. Warp's tape gives 0, without a warning. frac(x) goes up with the slope 1 like x itself, and the
# tape gives 0 at 0.5, as if it were a step. A period that is to be learned never moves. The slope of
# mod and of % in x is right.
#
# Seen on CPython 3.11, on the CPU: mod -1.3 [1.0, 0.0], percent -1.3 [1.0, 0.0],
# frac 0.5 [0.0, 0.0]; the second number of frac belongs to an input that it does not use.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "warp-lang==1.19.0" "numpy==2.4.6"
cat >"$folder/look.py" <<'PYTHON'
import warp as wp

wp.config.log_level = wp.LOG_ERROR
numbers = wp.array(dtype=wp.float64)


@wp.kernel
def mod(a: numbers, out: numbers):
    out[0] = wp.mod(a[0], a[1])


@wp.kernel
def percent(a: numbers, out: numbers):
    out[0] = a[0] % a[1]


@wp.kernel
def frac(a: numbers, out: numbers):
    out[0] = wp.frac(a[0])


def look(kernel, point):
    kinds = {"dtype": wp.float64, "device": "cpu"}
    a = wp.array(point, requires_grad=True, **kinds)
    out = wp.zeros(1, requires_grad=True, **kinds)
    with wp.Tape() as tape:
        wp.launch(kernel, dim=1, inputs=[a], outputs=[out], device="cpu")
    tape.backward(grads={out: wp.ones(1, **kinds)})
    print(kernel.key, round(float(out.numpy()[0]), 6), a.grad.numpy().tolist())
    return a.grad.numpy().tolist()


assert look(mod, [-7.3, 2.0]) == [1.0, 0.0]
assert look(percent, [-7.3, 2.0]) == [1.0, 0.0]
assert look(frac, [0.5, 0.0]) == [0.0, 0.0]
PYTHON
"$folder/venv/bin/python" "$folder/look.py"
