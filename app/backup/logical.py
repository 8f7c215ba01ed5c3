"""The whole database by pg_dump, of one moment, while the store goes on; and back into an empty database.

It restores on any machine and any newer PostgreSQL, procedures and views included. Roles are the cluster's, not the
database's, so the manifest carries what makes them.
"""

from datetime import UTC, datetime
from pathlib import Path

import psycopg

from app.backup.manifest import Manifest, checksums, figures
from app.backup.programs import connected, program, run
from app.commands.console import CommandFailed

DUMP = "dump"

ROLES = """
SELECT format('CREATE ROLE %I %s NOINHERIT', rolname, CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END),
       COALESCE((SELECT array_agg(format('ALTER ROLE %I SET %s = %L', rolname, split_part(s, '=', 1),
                                         substr(s, strpos(s, '=') + 1))) FROM unnest(rolconfig) AS s), '{}')
FROM pg_roles WHERE rolname LIKE 'kirana\\_%' ORDER BY rolname
"""
MEMBERS = """
SELECT format('GRANT %I TO %s WITH INHERIT FALSE, SET TRUE', granted, member)
FROM (SELECT 'kirana_writer' AS granted, 'kirana_command' AS member
      UNION ALL SELECT rolname, 'CURRENT_USER' FROM pg_roles WHERE rolname LIKE 'kirana\\_%') AS memberships
"""
# The views' tables are the projector's own; all else belongs to whoever migrates, by whatever name.
OWNERS = """
SELECT format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, r.rolname)
FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE r.rolname LIKE 'kirana\\_%' AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
ORDER BY c.relkind, 1
"""


def take(dsn: str, folder: Path, jobs: int) -> Manifest:
    """Dump the database into the folder with so many processes; the figures are of the same snapshot."""
    with connected(dsn) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot(), version_num FROM alembic_version").fetchone()
        if row is None:
            raise CommandFailed("the database is empty: there is nothing to back up")
        version = connection.info.server_version
        roles = [line for create, rest in connection.execute(ROLES.encode()).fetchall() for line in (create, *rest)]
        members, owners = (
            [line for (line,) in connection.execute(query.encode()).fetchall()] for query in (MEMBERS, OWNERS)
        )
        arguments = ["--format=directory", f"--jobs={jobs}", f"--snapshot={row[0]}", f"--file={folder / DUMP}"]
        run(program("pg_dump", version), arguments, dsn)
        found = figures(connection)
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest("logical", taken_at, version, row[1], found, [*roles, *members], owners, checksums(folder))


def put_back(dsn: str, folder: Path, manifest: Manifest, jobs: int) -> None:
    """Restore into the database, which must be empty, and hold it to the backup's figures."""
    with connected(dsn) as connection:
        if connection.execute("SELECT to_regnamespace('store')").fetchone() != (None,):
            name = connection.info.dbname
            raise CommandFailed(f"the database {name} is not empty: restore into a new one, then point the URLs at it")
        version = connection.info.server_version
        make_roles(connection, manifest.roles)
    run(program("pg_restore", version), ["--no-owner", "--exit-on-error", f"--jobs={jobs}", str(folder / DUMP)], dsn)
    with connected(dsn) as connection:
        for statement in manifest.owners:
            connection.execute(statement.encode())
        connection.execute("ANALYZE")
        found = figures(connection)
    wrong = [name for name in found if found[name] != manifest.figures.get(name)]
    if wrong:
        told = ", ".join(f"{name} {found[name]:,}, not {manifest.figures.get(name)}" for name in wrong)
        raise CommandFailed(f"what was restored is not what was backed up: {told}")


def make_roles(connection: psycopg.Connection, statements: list[str]) -> None:
    """Make the roles that lack; their logins and passwords are the cluster's administrator's to give."""
    for statement in statements:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.DuplicateObject:
            continue
