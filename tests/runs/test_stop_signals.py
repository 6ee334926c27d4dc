"""The first signal is noted, the second has its usual effect."""

import signal
from collections.abc import Iterator

import pytest

from kaskad.runs.stop_signals import NUMBERS, StopSignals


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    numbers = (*NUMBERS, signal.SIGCHLD)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("first", NUMBERS)
def test_the_second_signal_interrupts_at_once(first: int, capfd) -> None:
    signals = StopSignals()
    signals.listen()
    signals.listen()
    signal.raise_signal(first)
    assert signals.heard == first
    assert "once more stops at once" in capfd.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_signals_are_given_back() -> None:
    signals = StopSignals()
    signals.listen()
    left_behind = signal.getsignal(signal.SIGINT)
    signals.ignore()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, left_behind)  # as Lightning does after an exception
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signals.heard is None


def test_a_terminal_that_is_closed_does_not_end_a_run_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = StopSignals()
    signals.listen()
    signal.raise_signal(signal.SIGHUP)
    assert signals.heard is None
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_who_had_the_signal_before_answers_it_in_the_end() -> None:
    answered = []
    signal.signal(signal.SIGUSR2, lambda number, frame: answered.append(number))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals = StopSignals()
    signals.listen()
    signal.raise_signal(signal.SIGUSR2)
    assert not answered
    signals.hand_on(signal.SIGUSR2)
    signals.hand_on(signal.SIGTERM)  # nobody had that
    assert answered == [signal.SIGUSR2]
