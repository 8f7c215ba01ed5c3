"""PostgreSQL refuses to run as root; when we are root, it runs as a system user of its own."""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

from app.core.config import NotConfigured

NAME = "kirana_postgres"
_TRAVERSE = stat.S_IXGRP | stat.S_IXOTH
_READ = stat.S_IRGRP | stat.S_IROTH


def server_user() -> pwd.struct_passwd | None:
    """The user to run the server as: None (ourselves) unless we are root. Makes the user when there is none yet."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        pass
    useradd = shutil.which("useradd")
    if useradd is None:
        return pwd.getpwnam("nobody")
    made = subprocess.run(
        [useradd, "--system", "--no-create-home", "--shell", "/bin/sh", NAME],
        capture_output=True,
        text=True,
        check=False,
    )
    try:  # somebody else may have made it at the same moment
        return pwd.getpwnam(NAME)
    except KeyError:
        raise NotConfigured(f"cannot make the system user {NAME}: {made.stderr.strip()}") from None


def run_as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Arguments for ``subprocess.run`` that switch to ``user``."""
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give(path: Path, user: pwd.struct_passwd | None) -> None:
    """Hand ``path`` to the server's user."""
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def let_through(path: Path) -> None:
    """Let other users pass (not list) the folders above ``path``, where they can't already."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if mode & _TRAVERSE != _TRAVERSE:
            folder.chmod(mode | _TRAVERSE)


def let_read(tree: Path) -> None:
    """Let other users read and run what an installer under a strict umask kept to its owner."""
    if tree.stat().st_mode & (_READ | _TRAVERSE) == _READ | _TRAVERSE:
        return
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        traverse = _TRAVERSE if mode & stat.S_IXUSR else 0
        path.chmod(mode | _READ | traverse)
