"""What an API process knows without asking Alembic, and how it collects its garbage."""

import gc
import subprocess
import sys

from alembic.script import ScriptDirectory

from app.core import readiness
from app.core.paths import ROOT


def test_the_newest_migration_is_alembics_too() -> None:
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    assert readiness.head_revision() == scripts.get_current_head()
    known = {script.revision for script in scripts.walk_revisions()}
    assert {revision for revision in known if readiness.is_behind(revision)} == known - {scripts.get_current_head()}
    assert not readiness.is_behind("9999"), "a newer release's"


def test_an_application_is_left_alone_by_the_collector_and_loads_no_alembic() -> None:
    said = "import gc, sys, app.main; print(gc.isenabled(), gc.get_freeze_count() > 10_000, 'alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "False"]
    assert gc.isenabled()
