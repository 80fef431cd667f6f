"""Which session is to be looked at when."""

from __future__ import annotations

import random

from offchain.relayer.agenda import NEVER, NOW, TIDY_FROM, Agenda


class Session:
    """What an agenda notes of one."""

    def __init__(self) -> None:
        self.look_at = NEVER
        self.placed_look_at = NEVER


def test_the_earliest_moment_counts_and_once() -> None:
    agenda: Agenda[Session] = Agenda("look_at")
    one, two = Session(), Session()
    agenda.at(one, 30.0)
    agenda.at(one, 10.0)
    agenda.at(one, 20.0)
    agenda.at(two, 5.0)
    assert agenda.due(4.0) == []
    assert agenda.due(10.0) == [two, one]
    assert agenda.due(99.0) == []


def test_what_is_to_be_looked_at_now_comes_first_and_is_noted_anew() -> None:
    agenda: Agenda[Session] = Agenda("look_at")
    one, two = Session(), Session()
    agenda.at(one, 1.0)
    agenda.at(two, NOW)
    agenda.at(two, NOW)
    agenda.at(two, 0.5)
    assert agenda.due(0.0) == [two]
    agenda.at(two, 3.0)
    assert agenda.due(2.0) == [one]
    assert agenda.due(3.0) == [two]


def test_a_moment_that_is_put_off_moves_its_place() -> None:
    agenda: Agenda[Session] = Agenda("look_at")
    one = Session()
    agenda.at(one, 10.0)
    agenda.at(one, NOW)
    assert agenda.due(0.0) == [one]
    agenda.at(one, 20.0)
    assert agenda.due(10.0) == []
    assert len(agenda) == 1
    assert agenda.due(20.0) == [one]
    assert len(agenda) == 0


def test_who_is_looked_at_often_takes_no_more_room() -> None:
    agenda: Agenda[Session] = Agenda("look_at")
    sessions = [Session() for _ in range(100)]
    for second in range(100):
        for session in sessions:
            for moment in (NOW, second + 30.0, second + 6.0):
                agenda.at(session, moment)
        for session in agenda.due(float(second)):
            agenda.at(session, second + 30.0)
            agenda.at(session, second + 6.0)
        assert TIDY_FROM < len(agenda) <= 1.5 * len(sessions)


def test_nobody_is_looked_at_late_or_unasked() -> None:
    chance = random.Random(3)
    agenda: Agenda[Session] = Agenda("look_at")
    sessions = [Session() for _ in range(60)]
    wanted: dict[Session, float] = {}
    for now in range(400):
        for session in chance.sample(sessions, 20):
            moment = chance.choice([NOW, now + chance.randint(0, 12), now + chance.random()])
            agenda.at(session, moment)
            wanted[session] = min(moment, wanted.get(session, NEVER))
        found = agenda.due(float(now))
        assert len(found) == len(set(found))
        assert set(found) == {each for each, moment in wanted.items() if moment <= now}
        for session in found:
            del wanted[session]
