"""What a session of a database role begins with: its time-outs, and how its statements are planned."""

from pydantic import BaseModel, ConfigDict, Field

# How a role's statements are planned: docs/adr/0016-plans-are-made-once.md, 0018-a-query-takes-one-core.md.
PLANNING = {
    "command": ("-c plan_cache_mode=force_generic_plan -c enable_seqscan=off",),
    "query": ("-c max_parallel_workers_per_gather=0",),
}


class RoleTimeouts(BaseModel):
    """Time-outs of one database role, in seconds; 0 means none."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    lock: float = Field(default=2.0, ge=0)
    """Seconds a statement waits for a lock; 0 is for ever, here and below."""
    statement: float = Field(default=10.0, ge=0)
    """Seconds a statement may take."""
    transaction: float = Field(default=15.0, ge=0)
    """Seconds a transaction may take."""
    idle_in_transaction: float = Field(default=10.0, ge=0)
    """Seconds a transaction may do nothing."""

    def options(self) -> str:
        """The same for libpq's ``options``; PostgreSQL takes milliseconds."""
        seconds = {
            "lock_timeout": self.lock,
            "statement_timeout": self.statement,
            "transaction_timeout": self.transaction,
            "idle_in_transaction_session_timeout": self.idle_in_transaction,
        }
        return " ".join(f"-c {name}={round(value * 1000)}" for name, value in seconds.items())
