"""A brake that one server takes holds on every server of the deployment from the moment it is confirmed."""

from benchmarks.brake import measure


def test_no_call_that_is_sent_after_the_brake_is_confirmed_is_admitted_anywhere(postgres_dsn: str) -> None:
    rounds = measure(postgres_dsn, rounds=4, rate=60)
    assert [one.admitted_after for one in rounds] == [0, 0, 0, 0]
    assert all(one.calls > 20 for one in rounds)
