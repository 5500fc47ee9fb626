from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aiolake.stores.admission import Admission, Kind, State, Ticket


def ask(admission: Admission, nbytes: int, kind: Kind = Kind.REQUEST) -> Ticket:
    return admission.ask(kind, nbytes)[0]


def is_in(ticket: Ticket) -> bool:
    return ticket.state is State.ADMITTED


def test_the_count_limit_holds_and_the_next_in_line_takes_a_free_slot() -> None:
    admission = Admission(2, 100)
    tickets = [ask(admission, 1) for _ in range(4)]
    assert [is_in(ticket) for ticket in tickets] == [True, True, False, False]
    assert admission.leave(tickets[1]) == [tickets[2]]
    assert admission.waiting == 1


def test_a_request_larger_than_the_budget_goes_alone() -> None:
    admission = Admission(8, 100)
    small, huge, later = ask(admission, 10), ask(admission, 500), ask(admission, 10)
    assert [is_in(ticket) for ticket in (small, huge, later)] == [True, False, False]
    assert admission.leave(small) == [huge]
    assert admission.leave(huge) == [later]


def test_small_requests_do_not_overtake_a_big_one() -> None:
    admission = Admission(64, 100)
    first, big = ask(admission, 60), ask(admission, 60)
    small = [ask(admission, 1) for _ in range(10)]
    assert not is_in(big)
    assert not any(map(is_in, small))
    assert admission.leave(first) == [big, *small]


def test_covered_requests_pass_those_that_wait_for_bytes() -> None:
    admission = Admission(4, 100)
    ask(admission, 100)
    blocked = ask(admission, 50)
    assert is_in(ask(admission, 0, Kind.COVERED))
    assert not is_in(blocked)


def test_holds_leave_half_of_the_budget_to_requests() -> None:
    admission = Admission(64, 100)
    holds = [ask(admission, 20, Kind.HOLD) for _ in range(4)]
    assert [is_in(hold) for hold in holds] == [True, True, False, False]
    assert is_in(ask(admission, 60))
    assert admission.held_bytes == 40


def test_one_hold_alone_may_be_larger_than_the_budget() -> None:
    admission = Admission(64, 100)
    assert is_in(ask(admission, 500, Kind.HOLD))
    assert not is_in(ask(admission, 1, Kind.HOLD))


def test_a_request_can_always_go_when_no_other_has_bytes_in_flight() -> None:
    """A consumer reads while holds wait for it to consume: it must not wait for them."""
    admission = Admission(64, 100)
    ask(admission, 500, Kind.HOLD)
    ask(admission, 50, Kind.HOLD)
    assert is_in(ask(admission, 1000))


def test_a_stream_of_small_requests_does_not_keep_a_hold_out() -> None:
    admission = Admission(64, 100)
    running = [ask(admission, 10) for _ in range(10)]
    hold = ask(admission, 30, Kind.HOLD)
    for _ in range(8):
        running.append(ask(admission, 10))
        admission.leave(running.pop(0))
        if is_in(hold):
            return
    raise AssertionError("the hold was starved")


def test_some_are_admitted_at_once_as_far_as_slots_and_bytes_go() -> None:
    admission = Admission(max_inflight=4, max_bytes=100)
    assert admission.take_now(Kind.REQUEST, [40, 40, 40]) == 2
    assert (admission.inflight, admission.inflight_bytes, admission.n_free) == (2, 80, 2)
    assert admission.take_now(Kind.COVERED, [1000, 1000, 1000]) == 2
    assert (admission.inflight, admission.inflight_bytes, admission.n_free) == (4, 80, 0)
    waiting, _ = admission.ask(Kind.REQUEST, 60)
    assert admission.give_back(Kind.COVERED, 1000) == []
    assert admission.take_now(Kind.COVERED, [1]) == 0, "others wait"
    assert admission.give_back(Kind.REQUEST, 40) == [waiting]
    assert admission.leave(waiting) == []
    assert admission.give_back(Kind.REQUEST, 40) == admission.give_back(Kind.COVERED, 1000) == []
    assert (admission.inflight, admission.inflight_bytes, admission.n_free) == (0, 0, 4)
    assert admission.take_now(Kind.REQUEST, [1000, 1]) == 1, "one alone may be larger"


def test_who_gives_up_waiting_lets_those_behind_go() -> None:
    admission = Admission(8, 100)
    ask(admission, 60)
    big, small = ask(admission, 90), ask(admission, 10)
    assert admission.leave(big) == [small]
    assert admission.leave(big) == []
    assert admission.inflight_bytes == 70


def test_throttling_halves_once_for_all_in_flight_and_never_below_one() -> None:
    admission = Admission(64, 1000)
    tickets = [ask(admission, 1) for _ in range(10)]
    for ticket in tickets:
        admission.throttled(ticket.epoch)
    assert admission.limit == 32
    for _ in range(20):
        ticket = ask(admission, 1)
        for old in tickets:
            admission.leave(old)
        admission.throttled(ticket.epoch)
        tickets = [ticket]
    assert admission.limit == 1


def test_nothing_is_begun_until_the_limit_is_what_it_was() -> None:
    admission = Admission(max_inflight=4, max_bytes=100)
    (ticket,) = admission.ask(Kind.REQUEST, 1)[:1]
    assert (admission.is_calm, admission.n_free) == (True, 3)
    admission.throttled(ticket.epoch)
    admission.leave(ticket)
    n_successes = 0
    while not admission.is_calm:
        assert admission.n_free == admission.take_now(Kind.REQUEST, [1]) == 0
        admission.succeeded()
        n_successes += 1
    assert n_successes > 4
    assert admission.n_free == 4


def test_successes_raise_the_limit_by_one_for_each_limit_s_worth() -> None:
    admission = Admission(10, 1000)
    admission.throttled(ask(admission, 1).epoch)
    assert admission.limit == 5
    for _ in range(6):
        admission.succeeded()
    assert 5.9 < admission.limit < 6.1
    for _ in range(1000):
        admission.succeeded()
    assert admission.limit == 10


@given(st.lists(st.integers(1, 300), max_size=40))
def test_requests_go_in_the_order_asked(sizes: list[int]) -> None:
    admission = Admission(4, 100)
    running = [ticket for ticket in (ask(admission, size) for size in sizes) if is_in(ticket)]
    order = []
    while running:
        ticket = running.pop(0)
        order.append(ticket.number)
        running += admission.leave(ticket)
    assert order == sorted(order)
    assert len(order) == len(sizes)


class AdmissionMachine(RuleBasedStateMachine):
    """Any sequence of asking, leaving and throttling keeps the limits, and nobody is stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(3, 100)
        self.tickets: list[Ticket] = []

    @rule(kind=st.sampled_from(Kind), nbytes=st.integers(1, 250))
    def ask(self, kind: Kind, nbytes: int) -> None:
        self.tickets.append(ask(self.admission, nbytes, kind))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.tickets) - 1))
        self.admission.leave(self.tickets.pop(index))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def throttle(self, data: st.DataObject) -> None:
        running = [ticket for ticket in self.tickets if is_in(ticket)]
        if running:
            self.admission.throttled(data.draw(st.sampled_from(running)).epoch)

    @rule()
    def succeed(self) -> None:
        self.admission.succeeded()

    @invariant()
    def the_sums_are_right(self) -> None:
        running = [ticket for ticket in self.tickets if is_in(ticket)]
        requests = [ticket.nbytes for ticket in running if ticket.kind is Kind.REQUEST]
        holds = [ticket.nbytes for ticket in running if ticket.kind is Kind.HOLD]
        admission = self.admission
        assert admission.inflight == len(running) - len(holds) <= admission.max_inflight
        assert admission.inflight_bytes == sum(requests)
        assert admission.held_bytes == sum(holds)
        assert admission.waiting == len(self.tickets) - len(running)

    @invariant()
    def the_budget_is_kept_but_for_one_alone(self) -> None:
        running = [ticket for ticket in self.tickets if is_in(ticket)]
        requests = [ticket.nbytes for ticket in running if ticket.kind is Kind.REQUEST]
        holds = [ticket.nbytes for ticket in running if ticket.kind is Kind.HOLD]
        assert len(requests) <= 1 or sum(requests) <= 100
        assert len(holds) <= 1 or sum(holds) <= 50

    @invariant()
    def somebody_runs_while_somebody_waits(self) -> None:
        waiting = [ticket.kind for ticket in self.tickets if not is_in(ticket)]
        running = [ticket.kind for ticket in self.tickets if is_in(ticket)]
        if Kind.REQUEST in waiting or Kind.COVERED in waiting:
            assert Kind.REQUEST in running or Kind.COVERED in running
        if Kind.HOLD in waiting:
            assert running

    def teardown(self) -> None:
        """Everybody gets in and out when those inside leave."""
        while self.tickets:
            running = [ticket for ticket in self.tickets if is_in(ticket)]
            assert running
            for ticket in running:
                self.admission.leave(ticket)
                self.tickets.remove(ticket)
        assert (self.admission.inflight, self.admission.inflight_bytes) == (0, 0)
        assert (self.admission.held_bytes, self.admission.waiting) == (0, 0)


TestAdmissionMachine = AdmissionMachine.TestCase
