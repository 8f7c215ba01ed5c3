"""The procedure files, for whoever tests them."""

from app.core.paths import PROCEDURES_DIR as PROCEDURES
from app.validation.procedure_source import ProcedureSource

FILES = sorted(PROCEDURES.glob("*.sql"))
ALL = [ProcedureSource(path) for path in FILES]

__all__ = ["ALL", "FILES", "PROCEDURES", "ProcedureSource"]
