"""The GPT of the examples, beside PyTorch's model, and as a user runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import optim, random

EXAMPLES = Path(__file__).parent.parent / "examples"
GPT = [sys.executable, "-W", "error", str(EXAMPLES / "gpt.py")]
NAMES = (EXAMPLES / "names.txt").read_text(encoding="utf-8").split()
SEED = 1337
DOCUMENTS = [
    ([0, 5, 13, 9], [5, 13, 9, 0]),
    ([0, 1], [1, 0]),
    ([0, 2, 2, 1, 3, 26], [2, 2, 1, 3, 26, 0]),
]

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture(scope="module")
def nanogpt() -> Iterator[Any]:
    """The module of the model."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        import nanogpt

        yield nanogpt
    finally:
        sys.path.remove(str(EXAMPLES))


def model_of(nanogpt: Any, **sizes: Any) -> Any:
    mg.manual_seed(SEED)
    return nanogpt.GPT(nanogpt.GPTConfig(**sizes))


SMALL: dict[str, Any] = {"block_size": 6, "n_layer": 2, "n_head": 2, "n_embd": 4}


def filled(tokens: list[int]) -> list[int]:
    return [*tokens, *[0] * (SMALL["block_size"] - len(tokens))]


def close(x: float) -> Any:
    return pytest.approx(x, rel=1e-11, abs=1e-15)


def values(x: Any) -> list[Any]:
    """Return the entries of a parameter."""
    return [v for part in x for v in values(part)] if hasattr(x, "__iter__") else [x]


# One trace for all documents.


def backends() -> list[Any]:
    return ["python", "c"] if compiler() else ["python"]


@pytest.mark.parametrize("backend", backends())
def test_one_trace_for_documents_of_all_lengths(nanogpt: Any, backend: Any) -> None:
    model = model_of(nanogpt, dropout=0.25, **SMALL)
    calls = 0

    def loss(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        return model.loss(*args)

    compiled = mg.compile(loss, backend=backend)
    for tokens, targets in DOCUMENTS:
        state = random.get_state()
        masks = model.draw_masks(len(tokens))
        model.zero_grad()
        expected = model.loss(tokens, targets, masks)
        expected.backward()
        slopes = [p.grad for p in model.parameters()]
        random.set_state(state)
        model.zero_grad()
        found = compiled(filled(tokens), filled(targets), model.draw_masks(), len(tokens))
        found.backward()
        assert found.data == expected.data
        # Loops add up the gradient of a number that is used twice in another order.
        assert [p.grad or 0.0 for p in model.parameters()] == [close(x or 0.0) for x in slopes]
    assert calls <= 2


@pytest.mark.skipif(not compiler(), reason="no C compiler")
def test_training_in_machine_code(nanogpt: Any) -> None:
    losses = []
    for native in (False, True):
        model = model_of(nanogpt, **SMALL)
        optimizer = optim.AdamW(model.parameters(), lr=0.01)
        step = mg.compiled_step(model.loss, optimizer) if native else None
        for tokens, targets in DOCUMENTS * 2:
            if step:
                losses.append(step(filled(tokens), filled(targets), None, len(tokens)))
                continue
            optimizer.zero_grad()
            loss = model.loss(tokens, targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.data)
    assert losses[:6] == [close(x) for x in losses[6:]]
    assert losses[3] < losses[0]


def test_later_tokens_are_not_seen(nanogpt: Any) -> None:
    model = model_of(nanogpt, **SMALL)
    with mg.no_grad():
        first, second = model([1, 2, 3, 4]), model([1, 2, 9, 9])
    assert first[:2] == second[:2]
    assert first[2] != second[2]


def test_dropout(nanogpt: Any) -> None:
    model = model_of(nanogpt, dropout=0.25, **SMALL)
    masks = model.draw_masks()
    assert len(masks) == 3
    drawn = [values(masks[0]), values(masks[1].attention), values(masks[2].mlp)]
    for xs in drawn:
        assert {*xs} == {0.0, 1.0 / 0.75}
    tokens, targets = DOCUMENTS[0]
    cut = model.draw_masks(4)
    assert [len(x) for x in (cut[0], *cut[1], cut[2].attention[0][0])] == [4] * 5
    losses = {model.loss(tokens, targets, model.draw_masks(4)).data for _ in range(5)}
    assert len({*losses, model.loss(tokens, targets).data}) == 6
    assert model_of(nanogpt, **SMALL).draw_masks() is None


def test_sizes_that_do_not_fit(nanogpt: Any) -> None:
    with pytest.raises(ValueError, match="GPTConfig: n_head must divide n_embd, got 3 and 16"):
        nanogpt.GPTConfig(n_head=3)
    for count in (0, 7):
        with pytest.raises(ValueError, match=f"GPT: pass 1 to 6 tokens, .* got {count}"):
            model_of(nanogpt, **SMALL)([1] * count)


# Beside PyTorch.


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def peer_of(torch: Any, nanogpt: Any, **sizes: Any) -> Any:
    import nanogpt_torch

    torch.manual_seed(SEED)
    return nanogpt_torch.GPT(nanogpt.GPTConfig(**sizes)).double()


@pytest.mark.torch
class TestPeer:
    @pytest.mark.parametrize("sizes", [{}, {"bias": True, **SMALL}])
    def test_first_weights(self, torch: Any, nanogpt: Any, sizes: dict[str, Any]) -> None:
        ours, theirs = model_of(nanogpt, **sizes), peer_of(torch, nanogpt, **sizes)
        weights = {name: x.tolist() for name, x in theirs.state_dict().items()}
        assert ours.state_dict() == weights
        assert [*ours.state_dict()] == [*weights]
        assert len(ours.parameters()) == sum(p.numel() for p in theirs.parameters())
        assert random.get_state() == bytes(torch.get_rng_state().tolist())

    @pytest.mark.parametrize("sizes", [{}, {"bias": True, **SMALL}])
    def test_logits_loss_and_gradients(
        self, torch: Any, nanogpt: Any, sizes: dict[str, Any]
    ) -> None:
        ours, theirs = model_of(nanogpt, **sizes), peer_of(torch, nanogpt, **sizes)
        for tokens, targets in DOCUMENTS:
            logits, expected = ours(tokens), theirs(torch.tensor([tokens]))[0]
            assert [x.data for x in values(logits)] == pytest.approx(
                expected.flatten().tolist(), rel=0.0, abs=1e-12
            )
            loss = ours.loss(tokens, targets)
            peer = torch.nn.functional.cross_entropy(expected, torch.tensor(targets))
            assert loss.data == pytest.approx(peer.item(), rel=0.0, abs=1e-12)
            loss.backward()
            peer.backward()
        pairs = zip(ours.named_parameters(), theirs.named_parameters(), strict=True)
        for (name, p), (peer_name, q) in pairs:
            assert name == peer_name
            slopes = [x.grad for x in values(p)]
            assert slopes == pytest.approx(q.grad.flatten().tolist(), rel=0.0, abs=1e-12)

    def test_training_with_dropout(self, torch: Any, nanogpt: Any) -> None:
        sizes = {"dropout": 0.2, "bias": True, **SMALL}
        ours, theirs = model_of(nanogpt, **sizes), peer_of(torch, nanogpt, **sizes)
        optimizer = optim.AdamW(ours.parameters(), lr=0.01, betas=(0.9, 0.99))
        peer_optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.99))
        loss_of = mg.compile(ours.loss)
        losses = []
        for i in range(50):
            tokens, targets = DOCUMENTS[i % len(DOCUMENTS)]
            loss = loss_of(filled(tokens), filled(targets), ours.draw_masks(), len(tokens))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            logits = theirs(torch.tensor([filled(tokens)]))[0, : len(tokens)]
            peer = torch.nn.functional.cross_entropy(logits, torch.tensor(targets))
            peer_optimizer.zero_grad()
            peer.backward()
            peer_optimizer.step()
            losses.append(loss.data)
            assert loss.data == pytest.approx(peer.item(), rel=0.0, abs=1e-9)
        assert losses[-1] < 0.8 * losses[0]

    def test_weights_from_pytorch(self, torch: Any, nanogpt: Any, tmp_path: Path) -> None:
        pytest.importorskip("safetensors")
        file = tmp_path / "first.safetensors"
        script = [sys.executable, str(EXAMPLES / "nanogpt_torch.py"), str(file), "--seed", "5"]
        subprocess.run(script, check=True, capture_output=True)
        checkpoint = tmp_path / "checkpoint.json"
        done = run("--steps", "1", "--load", str(file), "--save", str(checkpoint))
        assert done.returncode == 0
        mg.manual_seed(5)
        first = nanogpt.GPT(nanogpt.GPTConfig()).state_dict()
        after = mg.load(checkpoint)["model"]
        moved = [
            abs(a - b)
            for name in first
            for a, b in zip(values(first[name]), values(after[name]), strict=True)
        ]
        assert 0.0 < max(moved) <= 0.0101  # one step of AdamW with lr 0.01


# As a user runs it.


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*GPT, *options], capture_output=True, text=True, timeout=120)


def test_the_list_of_names() -> None:
    assert sorted({*NAMES}) == NAMES
    assert len(NAMES) > 700
    assert all(re.fullmatch("[a-z]{2,14}a", name) for name in NAMES)


def test_the_same_numbers_with_and_without_compiling() -> None:
    commands = [[], ["--compile"], *([["--backend", "c"]] if compiler() else [])]
    outputs = []
    for options in commands:
        done = run("--steps", "4", "--dropout", "0.1", *options)
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append(done.stdout)
    assert {*outputs} == {outputs[0]}
    assert re.fullmatch(
        r"3,808 parameters, 731 names\nsteps 0 to 4: mean loss 3\.\d{4} nats\n(  [a-z]*\n){20}",
        outputs[0],
    )


@pytest.mark.parametrize("steps", [5, 8])
def test_checkpoints(nanogpt: Any, tmp_path: Path, steps: int) -> None:
    """A training that goes on from a checkpoint ends as one that was never stopped."""
    gpt = pytest.importorskip("gpt")
    names, file = ["ana", "eva", "mia"], tmp_path / "checkpoint.json"

    def trained(count: int, load: bool) -> dict[str, Any]:
        mg.manual_seed(SEED)
        training = gpt.Training(names, 8, dropout=0.1)
        if load:
            mg.manual_seed(0)
            training.load(file)
        step = training.step(training.model.loss)
        for _ in training.run(step, fill=False):
            if len(training.losses) == count:
                break
        found: dict[str, Any] = training.checkpoint()
        return found

    mg.save(trained(steps, load=False), file)
    assert trained(8, load=True) == trained(8, load=False)


def names_of(folder: Path, names: list[str]) -> Path:
    file = folder / "names.txt"
    file.write_text("\n".join(names), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["ana", "Eva"], "'Eva' is not a name in the letters a to z"),
        (["émilia"], "'émilia' is not a name in the letters a to z"),
        (["a" * 16], f"'{'a' * 16}' has more than 15 letters"),
        ([], "there is no name in it"),
    ],
)
def test_bad_names(tmp_path: Path, names: list[str], message: str) -> None:
    file = names_of(tmp_path, names)
    done = run("--names", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"gpt.py: {file}: {message}\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "argument --steps: must be a whole number above 0, got '0'"),
        (["--dropout", "1"], "argument --dropout: must be from 0 up to 1, without 1, got '1'"),
        (["--dropout", "x"], "argument --dropout: must be from 0 up to 1, without 1, got 'x'"),
        (["--backend", "java"], "argument --backend: invalid choice: 'java'"),
        (["--cache", "x"], "--cache keeps machine code; it needs --backend c"),
        (["--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["--save", "no/such/file"], "argument --save: there is no directory 'no/such'"),
    ],
)
def test_bad_options(options: list[str], message: str) -> None:
    done = run(*options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(f"gpt.py: error: {message}")


def test_bad_checkpoints(tmp_path: Path) -> None:
    done = run("--load", "no such file")
    assert done.returncode == 1
    assert re.fullmatch(r"gpt\.py: .*No such file or directory: 'no such file'\n", done.stderr)
    for content in ("[", '{"model": 1}'):
        file = tmp_path / "bad.json"
        file.write_text(content)
        done = run("--load", str(file))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("gpt.py: ")
        assert "Traceback" not in done.stderr


def test_without_a_compiler() -> None:
    done = subprocess.run(
        [*GPT, "--backend", "c"],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"CC": "no-such-compiler"},
    )
    assert done.returncode == 1
    assert re.fullmatch(r"gpt\.py: compile: \$CC is 'no-such-compiler', .*\n", done.stderr)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_keeps_what_there_is(tmp_path: Path) -> None:
    file, picture = tmp_path / "checkpoint.json", tmp_path / "curve.png"
    command = [*GPT, "--steps", "100000", "--save", str(file), "--plot", str(picture)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("3,808 parameters")
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    (steps,) = re.findall(r"Interrupted after ([\d,]+) of 100,000 steps\.", output)
    steps = steps.replace(",", "")
    assert len(json.loads(file.read_text())["losses"]) == int(steps)
    assert f"steps 0 to {int(steps):,}: mean loss" in output
    assert len(re.findall(r"^  [a-z]*$", output, re.MULTILINE)) == 20
    assert picture.stat().st_size > 10_000
    for options, message in (
        ([], "is of a training of 100,000 steps, at whose end .*; pass --steps 100000"),
        (
            ["--steps", "100000", "--names", str(names_of(tmp_path, ["ana"]))],
            "is of a training on other names; pass its --names",
        ),
    ):
        done = run("--load", str(file), *options)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(f"gpt.py: {re.escape(str(file))} {message}\n", done.stderr)
