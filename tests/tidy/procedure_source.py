"""The procedure files, for whoever tests them."""

from app.core.paths import PROCEDURES_DIR as PROCEDURES
from app.validation.procedure_source import ProcedureSource, all_sources

FILES = sorted(PROCEDURES.glob("*.sql"))
ALL = all_sources(PROCEDURES)

__all__ = ["ALL", "FILES", "PROCEDURES", "ProcedureSource"]
