"""Which requests the rules of a proxy strike."""

from __future__ import annotations

import random

from aiolake.testing import Answered, Lost, ProxyRule, ResetBefore
from aiolake.testing.proxy_rules import ProxyScript


def struck(*rules: ProxyRule, n: int = 12, seed: int = 0) -> list[int]:
    """The numbers, from 1, of those of ``n`` equal requests that a rule strikes."""
    script = ProxyScript(rules, random.Random(seed))
    return [i for i in range(1, n + 1) if script.drawn("GET", "/b/key") is not None]


def test_a_rule_without_conditions_strikes_everything() -> None:
    assert struck(ProxyRule(Lost()), n=3) == [1, 2, 3]


def test_method_and_text_of_the_target_are_conditions() -> None:
    rule = ProxyRule(Lost(), method="PUT", within="/log/")
    script = ProxyScript([rule], random.Random(0))
    asked = [("PUT", "/b/log/1"), ("GET", "/b/log/1"), ("PUT", "/b/chunks/1")]
    assert [script.drawn(*request) is not None for request in asked] == [True, False, False]


def test_the_first_so_many() -> None:
    assert struck(ProxyRule(Lost(), first=2)) == [1, 2]


def test_a_rule_whose_answer_has_headers_is_counted_too() -> None:
    answer = Answered(503, b"slow", {"Retry-After": "1"})
    assert struck(ProxyRule(answer, first=2)) == [1, 2]


def test_given_numbers() -> None:
    assert struck(ProxyRule(Lost(), after=4, first=1)) == [5]
    assert struck(ProxyRule(Lost(), every=4)) == [4, 8, 12]
    assert struck(ProxyRule(Lost(), after=2, every=5)) == [7, 12]


def test_two_equal_rules_are_counted_apart() -> None:
    rule = ProxyRule(Lost(), first=1)
    assert struck(rule, rule) == [1, 2]


def test_the_first_rule_that_strikes_wins() -> None:
    script = ProxyScript([ProxyRule(Lost(), every=2), ProxyRule(ResetBefore())], random.Random(0))
    drawn = [script.drawn("GET", "/") for _ in range(4)]
    assert drawn == [ResetBefore(), Lost(), ResetBefore(), Lost()]


def test_a_share_is_about_that_many_and_repeats_with_its_seed() -> None:
    rule = ProxyRule(Lost(), share=0.25)
    once = struck(rule, n=4_000, seed=7)
    assert 850 < len(once) < 1_150
    assert struck(rule, n=4_000, seed=7) == once
    assert struck(rule, n=4_000, seed=8) != once
