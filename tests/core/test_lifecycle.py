"""The tables themselves: every pair is either a stated move or a refusal, and the promises of the module hold."""

from __future__ import annotations

import itertools

import pytest

from anytill.core.lifecycle import (
    OPEN_STATES,
    PAYMENT_MOVES,
    REFUND_MOVES,
    UNPAID_STATES,
    IllegalMove,
    PaymentEvent,
    PaymentState,
    RefundEvent,
    RefundState,
    next_refund_state,
    next_state,
)

S, E = PaymentState, PaymentEvent


@pytest.mark.parametrize(("state", "event"), list(itertools.product(PaymentState, PaymentEvent)))
def test_every_payment_pair_moves_or_is_refused(state: PaymentState, event: PaymentEvent) -> None:
    if event in PAYMENT_MOVES[state]:
        assert next_state(state, event) is PAYMENT_MOVES[state][event]
    else:
        with pytest.raises(IllegalMove, match=f"{state}.*{event}"):
            next_state(state, event)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(RefundState, RefundEvent)))
def test_every_refund_pair_moves_or_is_refused(state: RefundState, event: RefundEvent) -> None:
    if event in REFUND_MOVES[state]:
        assert next_refund_state(state, event) is REFUND_MOVES[state][event]
    else:
        with pytest.raises(IllegalMove, match=f"{state}.*{event}"):
            next_refund_state(state, event)


def test_silence_and_not_found_never_end_an_open_payment() -> None:
    for state in OPEN_STATES:
        for event in (E.SILENT, E.NOT_FOUND, E.WAITING):
            assert next_state(state, event) in OPEN_STATES


def test_only_an_explicit_no_leads_to_failed() -> None:
    causes = {event for moves in PAYMENT_MOVES.values() for event, to in moves.items() if to is S.FAILED}
    from_open = {event for state in OPEN_STATES for event, to in PAYMENT_MOVES[state].items() if to is S.FAILED}
    assert from_open == {E.REFUSED}
    assert causes <= {E.REFUSED, E.CLOSED, E.CANCELLED, E.NOT_FOUND, E.SILENT}  # the rest keep FAILED failed


def test_paid_is_reached_only_by_the_exact_amount_and_left_only_by_a_cancel() -> None:
    into = {
        event
        for state, moves in PAYMENT_MOVES.items()
        if state is not S.PAID
        for event, to in moves.items()
        if to is S.PAID
    }
    assert into == {E.PAID}
    assert {event for event, to in PAYMENT_MOVES[S.PAID].items() if to is not S.PAID} == {E.CANCEL_ASKED}


@pytest.mark.parametrize("state", sorted(UNPAID_STATES))
def test_late_money_goes_back_whatever_the_till_was_told(state: PaymentState) -> None:
    money = {E.PAID, E.PAID_LATE, E.MISMATCHED}
    assert {next_state(state, event) for event in money} == {S.REVERSING}
    assert next_state(state, E.WAITING) is S.CANCELLING, "the payer could still pay"
    others = set(PAYMENT_MOVES[state]) - money - {E.WAITING}
    assert {next_state(state, event) for event in others} == {state}


def test_what_is_being_undone_ends_cancelled_or_before_a_person() -> None:
    reached = {S.CANCELLING}
    while more := {to for state in reached for to in PAYMENT_MOVES[state].values()} - reached:
        if S.CANCELLED in more or S.PARKED in more:
            more -= {S.CANCELLED, S.PARKED}
        reached |= more
        if not more:
            break
    assert reached == {S.CANCELLING, S.REVERSING}


def test_a_refund_that_ended_stays_ended_unless_it_happened_after_all() -> None:
    for state in (RefundState.DONE, RefundState.RETURNED_TO_CASH):
        assert set(REFUND_MOVES[state].values()) == {state}
    assert set(REFUND_MOVES[RefundState.FAILED].values()) == {RefundState.FAILED, RefundState.DONE}
    assert next_refund_state(RefundState.FAILED, RefundEvent.DONE) is RefundState.DONE
