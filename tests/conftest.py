"""What every test relies on: no network, no traces in the user's folders, a clean end under Blender."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Models come from installed packages and from the repository, never from a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# Logs, user packs, caches and Blender's settings of the tests go to a folder of their own. Set before
# anything is imported that might look, and inherited by the child processes that tests start.
_HOME = tempfile.TemporaryDirectory(prefix="understudy-tests-")
for _name in ("CONFIG", "DATA", "CACHE", "STATE"):
    os.environ[f"XDG_{_name}_HOME"] = str(Path(_HOME.name) / _name.lower())
os.environ["BLENDER_USER_RESOURCES"] = str(Path(_HOME.name) / "blender")

# Shared machines are slow now and then: a time limit per example would only make tests flicker.
settings.register_profile(
    "default", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
# The same examples in every checking run: what a change did is told apart from luck. A wide search by hand:
# HYPOTHESIS_PROFILE=wide.
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True, max_examples=25)
settings.register_profile("wide", parent=settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

# The add-on's tests need Blender as a module; everything else runs without.
collect_ignore = [] if importlib.util.find_spec("bpy") else ["addon"]

_exit_status = 0


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root, which is the package itself."""
    return Path(__file__).resolve().parent.parent


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    global _exit_status
    _exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leaves at once where Blender was loaded.

    Blender as a module crashes (4.2) or hangs (4.5) at the interpreter's exit when a class, timer or
    handler is still registered. Tests unregister, but a failed one may not get that far.
    """
    if "bpy" not in sys.modules:
        return
    _HOME.cleanup()
    config.get_terminal_writer().flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_exit_status)
