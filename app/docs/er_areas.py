"""The tables of schema `store` by area: a module of app/models each."""

from sqlalchemy import ForeignKeyConstraint, Table

from app.models.tables import Base

AREAS = {
    "accounts": "Accounts",
    "staff": "Staff",
    "catalog": "Catalog",
    "merchandising": "What is shown",
    "inventory": "Inventory",
    "stock": "Stock operations",
    "carts": "Carts",
    "coupons": "Coupons",
    "orders": "Orders",
    "fulfilment": "Fulfilment",
    "payments": "Payments and refunds",
    "cash": "Cash at the door",
    "settlements": "Settlements",
    "returns": "Returns and exchanges",
    "invoices": "Invoices",
    "webhooks": "Events out",
    "operations": "Operations",
}


def areas() -> dict[str, list[Table]]:
    """Tables by module, by name. Raises KeyError for a module that has no area: give it one above."""
    found: dict[str, list[Table]] = {module: [] for module in AREAS}
    for mapper in Base.registry.mappers:
        table = mapper.local_table
        if isinstance(table, Table) and table.schema == "store":
            found[mapper.class_.__module__.rsplit(".", 1)[1]].append(table)
    return {module: sorted(tables, key=lambda table: table.name) for module, tables in found.items()}


def foreign_keys(table: Table) -> list[ForeignKeyConstraint]:
    """Its foreign keys, by column."""
    return sorted(table.foreign_key_constraints, key=lambda key: [column.name for column in key.columns])
