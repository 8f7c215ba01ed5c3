"""Every scenario there is: those of ``scenarios.py``, and of each area's ``scenarios_….py`` beside it."""

from importlib import import_module
from pathlib import Path

from tests.faults.scenarios import SCENARIOS, Scenario

for path in sorted(Path(__file__).parent.glob("scenarios_*.py")):
    import_module(f"tests.faults.{path.stem}")

__all__ = ["SCENARIOS", "Scenario"]
