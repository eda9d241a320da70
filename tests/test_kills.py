"""Checkpoints: a training that is killed at any moment goes on bit for bit."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from test_checkpoints import LOCKS, left, start

import microgradlib as mg

# How often a training is killed; more on demand.
KILLS = int(os.environ.get("MICROGRADLIB_KILLS", "24"))

TRAINING = """
import os, random, sys
import microgradlib as mg
from microgradlib import nn, optim

path, epochs = sys.argv[1], int(sys.argv[2])
inputs = [[0.1 * i, 1.0 - 0.3 * i] for i in range(7)]
mg.manual_seed(1)
random.seed(2)
model = nn.MLP(2, [3, 1], "tanh")
optimizer = optim.Adam(model.parameters(), lr=0.05)
start, losses = 0, []
if os.path.exists(path):
    state = mg.load(path)
    mg.restore(state, model=model, optimizer=optimizer, random=mg.random, python=random)
    start, losses = state["epoch"], state["losses"]
print("starts", flush=True)
for epoch in range(start, epochs):
    for i in mg.random.randperm(len(inputs)):
        x = [inputs[i][0] + mg.random.normal(0.0, 0.1), inputs[i][1] + random.gauss(0.0, 0.1)]
        optimizer.zero_grad()
        loss = mg.mse_loss(model(x), [inputs[i][0]])
        loss.backward()
        optimizer.step()
    losses.append(loss.data)
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": mg.random.get_state(),
        "python": random.getstate(),
        "epoch": epoch + 1,
        "losses": losses,
    }
    mg.save(state, path)
    print(epoch, flush=True)
"""
FOREVER = 10**9


@pytest.mark.usefixtures("unmeasured")
def test_a_training_that_is_killed_again_and_again_goes_on_bit_for_bit(tmp_path: Path) -> None:
    rng = random.Random(0)
    path = tmp_path / "killed" / "checkpoint.json"
    path.parent.mkdir()
    reached = 0
    for _ in range(KILLS):
        with start(TRAINING, path, FOREVER) as process:
            assert process.stdout is not None
            for _ in range(1 + rng.randrange(3)):
                assert process.stdout.readline(), "it ended by itself"
            try:  # not a wait for something: the moment of the kill
                process.wait(rng.uniform(0.0, 0.02))
            except subprocess.TimeoutExpired:
                process.kill()
        assert process.returncode not in (0, 1)
        if path.exists():
            epoch = mg.load(path)["epoch"]
            assert epoch >= reached
            reached = epoch
        assert len(left(path.parent)) <= 1
    epochs = reached + 2
    whole = tmp_path / "whole.json"
    for file in (path, whole):
        with start(TRAINING, file, epochs) as process:
            process.communicate()
        assert process.returncode == 0
    assert mg.load(path)["epoch"] == len(mg.load(path)["losses"]) == epochs > KILLS // 2
    assert path.read_bytes() == whole.read_bytes()
    assert os.listdir(path.parent) == ["checkpoint.json"] or sys.platform == "win32"


WRITING = """
import sys
import microgradlib as mg
for i in range(int(sys.argv[3])):
    mg.save({"who": sys.argv[2], "x": [sys.argv[2]] * 2000}, sys.argv[1])
"""


@pytest.mark.usefixtures("unmeasured")
@LOCKS
def test_processes_that_write_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    mg.save({"who": "0", "x": ["0"] * 2000}, path)
    processes = [start(WRITING, path, who, 150) for who in "123"]
    seen = set()
    while any(process.poll() is None for process in processes):
        state = mg.load(path)
        assert state["x"] == [state["who"]] * 2000
        seen.add(state["who"])
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert len(seen) > 1
    assert os.listdir(tmp_path) == ["checkpoint.json"]
