"""Where things are: the project's own folders, and unix sockets short enough for the kernel."""

import hashlib
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROCEDURES_DIR = ROOT / "procedures"
PYPROJECT = ROOT / "pyproject.toml"

# sun_path holds 108 bytes on Linux and 104 on macOS, its closing zero included.
LONGEST_SOCKET_PATH = 100


def socket_dir(directory: Path, socket_name: str) -> Path:
    """The folder for ``socket_name``: ``directory`` itself, or a short one under the temp folder named by its hash."""
    if len(str(directory / socket_name).encode()) <= LONGEST_SOCKET_PATH:
        return directory
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"kirana-{digest}"
