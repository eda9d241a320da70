"""Options of the test run."""

import os
from collections.abc import Iterator
from itertools import compress
from typing import Any

import pytest
from compilers import compiler
from hypothesis import HealthCheck, settings

from microgradlib import random

# A busy machine must not fail a test.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

collect_ignore = [  # scripts, and what is collected only when named, as it needs Chromium
    "truths/generate.py",
    "mutation/mutants.py",
    "mutation/run.py",
    "browser",
    "notebooks.py",
    "repeat.py",
]
SKIPS: list[str] = []


@pytest.fixture
def stream() -> Iterator[None]:
    """Seed the process-wide generator, and leave it as it was."""
    state = random.get_state()
    random.manual_seed(7)
    yield
    random.set_state(state)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return the list of whether calls of ``vmap`` went through all rows at once."""
    from microgradlib.many import machine

    seen: list[bool] = []
    call = machine.MachineRows.__call__

    def watched(self: Any, *args: Any) -> Any:
        found = call(self, *args)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(machine.MachineRows, "__call__", watched)
    return seen


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the programs that a test starts out of the measured coverage: they take long enough."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail if any selected test is skipped")
    parser.addoption(
        "--every", type=int, default=1, metavar="N", help="run each N-th test only, and long ones"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not compiler():
        for item in items:
            if isinstance(item, pytest.DoctestItem) and item.dtest is not None:
                text = "".join([example.source for example in item.dtest.examples])
                if 'backend="c"' in text or "compiled_step(" in text:
                    item.add_marker(pytest.mark.skip(reason="no C compiler"))
    step = config.getoption("--every")
    left_out = [i % step > 0 and not x.get_closest_marker("long") for i, x in enumerate(items)]
    config.hook.pytest_deselected(items=[*compress(items, left_out)])
    items[:] = [x for x, out in zip(items, left_out, strict=True) if not out]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        SKIPS.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--no-skips") and SKIPS:
        print(f"\nskipped although --no-skips was given: {SKIPS}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
