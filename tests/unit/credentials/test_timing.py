"""When a credential is renewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from aiolake.credentials.timing import (
    Held,
    after_failure,
    after_renewal,
    for_good,
    is_usable,
    pause_s,
)
from aiolake.credentials.values import AwsCredential

NOW = datetime(2026, 1, 1, tzinfo=UTC)
draws = st.floats(0, 1, exclude_max=True)
lives = st.floats(0.1, 100_000).map(lambda seconds: timedelta(seconds=seconds))


def keys(life: timedelta | None, name: str = "A") -> AwsCredential:
    return AwsCredential(name, "secret", None, None if life is None else NOW + life)


class TestRenewal:
    @given(lives, draws)
    def test_it_is_at_about_two_thirds_of_a_life(self, life: timedelta, draw: float) -> None:
        held = after_renewal(None, keys(life), NOW, lambda: draw)
        assert held.renew_at is not None
        share = (held.renew_at - NOW) / life
        assert 0.56 < share < 0.77
        assert held.renew_at < NOW + life

    def test_processes_that_start_together_do_not_renew_together(self) -> None:
        hour = timedelta(hours=1)
        early = after_renewal(None, keys(hour), NOW, lambda: 0.1)
        late = after_renewal(None, keys(hour), NOW, lambda: 0.9)
        assert early.renew_at != late.renew_at

    def test_what_lasts_is_not_renewed(self) -> None:
        assert after_renewal(None, keys(None), NOW, lambda: 0.5).renew_at is None

    def test_the_same_expiry_is_no_failure(self) -> None:
        first = after_renewal(None, keys(timedelta(minutes=10)), NOW, lambda: 0.5)
        later = NOW + timedelta(minutes=7)
        again = after_renewal(first, keys(timedelta(minutes=10), "B"), later, lambda: 0.5)
        assert again.n_failures == 0
        assert again.renew_at == later + timedelta(seconds=90)  # half of the rest
        end = NOW + timedelta(minutes=9, seconds=50)
        assert after_renewal(first, keys(timedelta(minutes=10)), end, lambda: 0.5).renew_at == (
            end + timedelta(seconds=30)
        )

    def test_one_that_came_expired_is_tried_again(self) -> None:
        held = after_renewal(None, keys(timedelta(seconds=-5)), NOW, lambda: 0.5)
        assert held.renew_at == NOW
        assert not is_usable(held, NOW)

    def test_one_that_nobody_renews_serves_until_a_store_refuses_it(self) -> None:
        held = for_good(None, keys(timedelta(hours=-5)), NOW)
        assert held.renew_at is None
        assert is_usable(held, NOW)
        refused = Held(held.credential, NOW, None, refused=True)
        assert not is_usable(for_good(refused, keys(timedelta(hours=-5)), NOW), NOW)
        assert is_usable(for_good(refused, keys(timedelta(hours=-5), "B"), NOW), NOW)

    def test_one_that_a_store_refused_stays_refused_until_another_comes(self) -> None:
        refused = Held(keys(timedelta(hours=1)), NOW, NOW, refused=True)
        same = after_renewal(refused, keys(timedelta(hours=1)), NOW, lambda: 0.5)
        assert same.refused
        assert not is_usable(same, NOW)
        other = after_renewal(refused, keys(timedelta(hours=1), "B"), NOW, lambda: 0.5)
        assert is_usable(other, NOW)

    def test_lasting_keys_that_were_refused_are_not_sent_again(self) -> None:
        refused = Held(keys(None), NOW, None, refused=True)
        assert after_renewal(refused, keys(None), NOW, lambda: 0.5).refused


class TestFailure:
    @given(lives, draws, st.integers(0, 40))
    def test_the_old_one_serves_and_several_tries_fit_into_its_rest(
        self, life: timedelta, draw: float, n_failures: int
    ) -> None:
        held = Held(keys(life), NOW, NOW, n_failures)
        failed = after_failure(held, NOW, lambda: draw)
        assert failed.credential is held.credential
        assert failed.n_failures == n_failures + 1
        assert is_usable(failed, NOW)
        assert failed.renew_at is not None
        pause = failed.renew_at - NOW
        assert pause <= max(life / 4, timedelta(seconds=0.2))

    @given(draws)
    def test_pauses_grow_to_a_minute(self, draw: float) -> None:
        pauses = [pause_s(n, lambda: draw) for n in range(1, 50)]
        assert pauses == sorted(pauses)
        assert 0.1 <= pauses[0] <= 0.2
        assert 30 <= pauses[-1] <= 60


class TestUse:
    def test_it_serves_until_it_truly_expires(self) -> None:
        held = Held(keys(timedelta(seconds=5)), NOW, NOW)
        assert is_usable(held, NOW + timedelta(seconds=4.999))
        assert not is_usable(held, NOW + timedelta(seconds=5))
