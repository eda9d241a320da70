"""Options of the test run."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# A busy machine must not fail a test.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

collect_ignore = [  # scripts, and what is collected only when named, as it needs Chromium
    "truths/generate.py",
    "mutation/run.py",
    "breaks.py",
    "browser",
    "notebooks.py",
    "repeat.py",
]
SKIPS: list[str] = []


@pytest.fixture
def stream() -> Iterator[None]:
    """Seed the process-wide generator, and leave it as it was."""
    from microgradlib import random  # not sooner: a package that is broken on purpose comes later

    state = random.get_state()
    random.manual_seed(7)
    yield
    random.set_state(state)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail if any selected test is skipped")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        SKIPS.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--no-skips") and SKIPS:
        print(f"\nskipped although --no-skips was given: {SKIPS}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
