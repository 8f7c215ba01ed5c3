"""A writer for the reader's property test: a program, so that the test can kill it as a crash would.

Usage: python -m tests.support.outbox_writer DSN SEED. It runs until it is killed or its stdin closes. Each transaction
locks one aggregate, raises its version, appends events, dawdles, and commits, or one time in eight rolls back.
"""

import random
import select
import sys
import time
from uuid import UUID

import psycopg

AGGREGATES = [UUID(int=number + 1) for number in range(24)]

APPEND = (
    "WITH raised AS (UPDATE public.aggregates SET version = version + 1 WHERE id = %(id)s RETURNING version)"
    " INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type)"
    " SELECT 'catalog', %(id)s, 'product', %(id)s, version, 'product.saved' FROM raised"
)


def main(dsn: str, seed: int) -> None:
    chance = random.Random(seed)
    with psycopg.connect(dsn) as connection:
        while not select.select([sys.stdin], [], [], 0)[0]:
            try:
                write_some(connection, chance)
            except psycopg.errors.DeadlockDetected:
                connection.rollback()


def write_some(connection: psycopg.Connection, chance: random.Random) -> None:
    for aggregate in sorted(chance.sample(AGGREGATES, chance.choice((1, 1, 2, 3)))):
        for _ in range(chance.choice((1, 1, 2, 8))):
            connection.execute(APPEND, {"id": aggregate})
            if chance.random() < 0.1:
                time.sleep(chance.random() * 0.004)
    if chance.random() < 0.3:
        time.sleep(chance.random() * 0.02)
    if chance.random() < 0.125:
        connection.rollback()
    else:
        connection.commit()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
