"""The schema: its revision, the procedures' text, the roles, and spots of the wall that their grants are."""

from collections.abc import Iterator

from app.core import procedure_files
from app.core.readiness import head_revision
from app.doctor.findings import Connection, Finding, Patient, failed, ok, value

SCHEMA, ROLES, GRANTS = "schema", "roles", "grants"
INSTALL = "kirana procedures install"
MIGRATE_GRANTS = "put it back as migrations/versions/0002_roles_and_reference_data.py grants it"
NAMED = 5

# role, may log in
LOGIN = {"kirana_command": True, "kirana_query": True, "kirana_projector": True, "kirana_writer": False}

# role, table, what it must not have
FORBIDDEN = (
    ("kirana_command", "store.inventory", "INSERT, UPDATE, DELETE"),
    ("kirana_command", "store.orders", "INSERT, UPDATE, DELETE"),
    ("kirana_command", "store.payments", "INSERT, UPDATE, DELETE"),
    ("kirana_command", "store.refunds", "INSERT, UPDATE, DELETE"),
    ("kirana_command", "store.coupons", "INSERT, UPDATE, DELETE"),
    ("kirana_command", "store.otp_verifications", "SELECT, INSERT, UPDATE, DELETE"),
    ("kirana_query", "store.orders", "INSERT, UPDATE, DELETE"),
    ("kirana_query", "store.inventory", "INSERT, UPDATE, DELETE"),
    ("kirana_query", "store.sessions", "SELECT"),
    ("kirana_query", "store.otp_verifications", "SELECT"),
    ("kirana_projector", "store.orders", "INSERT, UPDATE, DELETE"),
    ("kirana_projector", "store.outbox", "INSERT, UPDATE, DELETE"),
    ("kirana_writer", "store.outbox", "UPDATE, DELETE"),
    ("kirana_writer", "store.stock_movements", "UPDATE, DELETE"),
    ("kirana_writer", "store.money_movements", "UPDATE, DELETE"),
    ("kirana_writer", "store.order_events", "UPDATE, DELETE"),
)
NEEDED = (
    ("kirana_writer", "store.orders", "SELECT", "INSERT", "UPDATE"),
    ("kirana_writer", "store.outbox", "SELECT", "INSERT"),
    ("kirana_command", "store.wishlists", "SELECT", "INSERT", "UPDATE", "DELETE"),
    ("kirana_command", "store.addresses", "SELECT", "INSERT", "UPDATE", "DELETE"),
    ("kirana_query", "store.products", "SELECT"),
    ("kirana_query", "store.outbox", "SELECT"),
    ("kirana_projector", "store.outbox", "SELECT"),
    ("kirana_projector", "store.product_variants", "SELECT"),
)


def schema(patient: Patient) -> Iterator[Finding]:
    """Migrations and procedures."""
    connection = patient.connection
    if connection is None:
        return
    if not migrated(connection):
        yield failed(SCHEMA, "migrations", "none has run", "run `kirana migrate`")
        return
    revision, head = value(connection, "SELECT version_num FROM public.alembic_version"), head_revision()
    if revision == head:
        yield ok(SCHEMA, "migrations", f"at {revision}, the newest")
    else:
        yield failed(SCHEMA, "migrations", f"at {revision}, newest is {head}", "run `kirana migrate`")
    yield _procedures(connection)


def migrated(connection: Connection) -> bool:
    """Whether any migration has run."""
    return value(connection, "SELECT to_regclass('public.alembic_version') IS NOT NULL") is True


def _procedures(connection: Connection) -> Finding:
    states = procedure_files.states(connection)
    differing = [state for state in states if state.state != "current"]
    if not differing:
        return ok(SCHEMA, "procedures", f"{len(states)}, as their files say")
    listed = ", ".join(f"{state.name} ({state.state})" for state in differing[:NAMED])
    more = f" and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
    mend = f"run `{INSTALL}`"
    if any(state.state in {"extra", "overloaded"} for state in differing):
        mend += "; `kirana procedures diff` says what to do about what has no file, or two signatures"
    return failed(SCHEMA, "procedures", f"{listed}{more}", mend)


def roles(patient: Patient) -> Iterator[Finding]:
    """The four roles, what they are, and that command can become writer only inside a procedure."""
    connection = patient.connection
    if connection is None:
        return
    found = {
        name: (login, powerful, inherits)
        for name, login, powerful, inherits in connection.execute(
            "SELECT rolname, rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls, rolinherit"
            " FROM pg_roles WHERE rolname LIKE 'kirana_%'"
        ).fetchall()
    }
    for role, login in LOGIN.items():
        yield _role(role, login, found.get(role))
    if {"kirana_command", "kirana_writer"} <= found.keys():
        yield _membership(connection)


def _role(role: str, login: bool, found: tuple[bool, bool, bool] | None) -> Finding:
    if found is None:
        return failed(ROLES, role, "is not there", "run `kirana migrate`")
    may_login, powerful, _ = found
    if powerful:
        mend = f"ALTER ROLE {role} NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS"
        return failed(ROLES, role, "has powers over the whole cluster: no grant holds it", mend)
    if may_login != login:
        word = "LOGIN" if login else "NOLOGIN"
        return failed(ROLES, role, f"is {'NOLOGIN' if login else 'LOGIN'}", f"ALTER ROLE {role} {word}")
    return ok(ROLES, role, "logs in" if login else "can't log in, as meant")


def _membership(connection: Connection) -> Finding:
    rows = connection.execute(
        "SELECT m.inherit_option, m.set_option, m.admin_option, m.grantor::regrole::text FROM pg_auth_members m"
        " WHERE m.roleid = 'kirana_writer'::regrole AND m.member = 'kirana_command'::regrole"
    ).fetchall()
    grant = "GRANT kirana_writer TO kirana_command WITH INHERIT FALSE, SET TRUE, ADMIN FALSE"
    name = "kirana_command in kirana_writer"
    too_much = [grantor for inherits, _, admin, grantor in rows if inherits or admin]
    if too_much:
        mend = f"as {too_much[0]}, who granted it so: {grant}"
        return failed(ROLES, name, "inherits it, or hands it on: the API can write without a procedure", mend)
    if not any(can_set for _, can_set, _, _ in rows):
        mend = f"as {rows[0][3] if rows else 'the owner'}: {grant}"
        return failed(ROLES, name, "can't SET ROLE to it: no procedure can write", mend)
    return ok(ROLES, name, "by SET ROLE in a procedure only")


def grants(patient: Patient) -> Iterator[Finding]:
    """Spots of the wall: what must not be possible, what must, and that PUBLIC may call nothing."""
    connection = patient.connection
    if connection is None or not migrated(connection) or not _all_roles(connection):
        return
    holes = [
        f"{role} has {_which(connection, role, table, privileges)} on {table}"
        for role, table, privileges in FORBIDDEN
        if value(connection, "SELECT has_table_privilege(%s, %s, %s)", role, table, privileges)
    ]
    lacks = [
        f"{role} lacks {privilege} on {table}"
        for role, table, *privileges in NEEDED
        for privilege in privileges
        if not value(connection, "SELECT has_table_privilege(%s, %s, %s)", role, table, privilege)
    ]
    if holes:
        yield failed(GRANTS, "what must not be", "; ".join(holes), MIGRATE_GRANTS)
    else:
        yield ok(GRANTS, "what must not be", f"{len(FORBIDDEN)} spots, none open")
    if lacks:
        yield failed(GRANTS, "what must be", "; ".join(lacks), MIGRATE_GRANTS)
    else:
        yield ok(GRANTS, "what must be", f"{len(NEEDED)} spots, all there")
    yield _calls(connection)


def _all_roles(connection: Connection) -> bool:
    there: int = value(connection, "SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", list(LOGIN))
    return there == len(LOGIN)


def _which(connection: Connection, role: str, table: str, privileges: str) -> str:
    held = (
        privilege
        for privilege in privileges.split(", ")
        if value(connection, "SELECT has_table_privilege(%s, %s, %s)", role, table, privilege)
    )
    return ", ".join(held)


def _calls(connection: Connection) -> Finding:
    name = "who may CALL"
    public = connection.execute(
        "SELECT p.proname FROM pg_proc p, aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) a"
        " WHERE p.pronamespace = 'store'::regnamespace AND a.grantee = 0 ORDER BY 1"
    ).fetchall()
    if public:
        listed = ", ".join(row[0] for row in public[:NAMED])
        return failed(GRANTS, name, f"PUBLIC may call {listed}", f"run `{INSTALL}`: each file revokes it")
    callable_ = value(
        connection,
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'store'::regnamespace AND prokind = 'p'"
        " AND has_function_privilege('kirana_command', oid, 'EXECUTE')",
    )
    if not callable_:
        return failed(GRANTS, name, "kirana_command may call no procedure", f"run `{INSTALL}`")
    return ok(GRANTS, name, f"kirana_command {callable_} procedures, PUBLIC none")
