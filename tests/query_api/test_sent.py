"""Which answers may be kept: none beside which another was sent. Against every order of a few requests' ends."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from query_api import sent
from query_api.sent import Sent


def test_an_answer_with_nothing_beside_it_may_stay() -> None:
    answers = Sent()
    assert answers.alone("/a", "old", answers.now())
    assert answers.alone("/a", "new", answers.now())
    assert answers.alone("/b", "other", answers.now())


def test_of_two_that_ran_side_by_side_and_differ_the_later_may_not_stay() -> None:
    answers = Sent()
    first, second = answers.now(), answers.now()
    assert answers.alone("/a", "new", first)
    assert not answers.alone("/a", "old", second)
    third = answers.now()
    assert answers.alone("/a", "new", third)


def test_what_was_forgotten_counts_as_another() -> None:
    answers = Sent()
    began = answers.now()
    assert answers.alone("/a", "new", began)
    for number in range(sent.REMEMBERED):
        answers.alone(f"/{number}", "x", answers.now())
    assert not answers.alone("/a", "old", began)
    assert answers.alone("/a", "old", answers.now())


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from("xyz")), min_size=1, max_size=8))
def test_it_says_what_a_list_of_all_answers_says(requests: list[tuple[int, int, str]]) -> None:
    """Requests as (begins, lasts, tag); the model is the list of every answer that was sent."""
    answers = Sent()
    moments = sorted(
        itertools.chain(
            ((begins, 0, number) for number, (begins, _, _) in enumerate(requests)),
            ((begins + lasts, 1, number) for number, (begins, lasts, _) in enumerate(requests)),
        )
    )
    began: dict[int, tuple[int, int]] = {}  # by the answers' clock, and by the model's
    gone: list[tuple[int, str]] = []
    for order, (_, ends, number) in enumerate(moments):
        if not ends:
            began[number] = (answers.now(), order)
            continue
        tag = requests[number][2]
        theirs, ours = began[number]
        beside = [other for at, other in gone if other != tag and at > ours]
        assert answers.alone("/a", tag, theirs) == (not beside)
        gone.append((order, tag))
