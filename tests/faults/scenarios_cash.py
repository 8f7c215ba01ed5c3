"""Scenarios of cash at the door: remittances, lines that differ, cash that is given up."""

from tests.faults.scenarios import Arguments, by_staff, scenario
from tests.support.builders import Connection, one
from tests.support.cash import bring, cash_order, delivered_for_cash, paper, remit


@scenario("settle_cod_remittance")
def a_remittance_of_every_kind(connection: Connection) -> Arguments:
    first, _ = delivered_for_cash(connection, "BD1"), delivered_for_cash(connection, "BD2")
    remit(connection, ("BD1", 100, 0), reference="R0")
    cash_order(connection, "BD3")
    lines = [("BD1", first["grand_total"] - 150, 50), ("BD2", 10, 0), ("BD3", 5, 0), ("NOBODY", 5, 0)]
    return by_staff(connection, "finance") | paper(*lines)


@scenario("match_cod_lines")
def a_line_whose_cash_was_booked_since(connection: Connection) -> Arguments:
    order = cash_order(connection)
    remit(connection, ("BD1", order["grand_total"] - 100, 100))
    bring(connection, order)
    return {}


def line_of_another(connection: Connection) -> Arguments:
    order = delivered_for_cash(connection)
    remit(connection, ("BD1", order["grand_total"], 0), courier="DTDC")
    line = one(connection, "SELECT id FROM store.cod_remittance_lines")
    return by_staff(connection, "finance") | {"p_line_id": line, "p_note": "asked both"}


@scenario("close_cod_line")
def a_line_explained(connection: Connection) -> Arguments:
    return line_of_another(connection)


@scenario("close_cod_line")
def a_line_accepted(connection: Connection) -> Arguments:
    return line_of_another(connection) | {"p_accept": True}


@scenario("write_off_cash")
def cash_that_was_lost(connection: Connection) -> Arguments:
    order = delivered_for_cash(connection)
    remit(connection, ("BD1", 100, 0))
    return by_staff(connection, "finance") | {"p_order_id": order["id"], "p_note": "robbed"}
