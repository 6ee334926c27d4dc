"""The first signal is noted, the second has its usual effect."""

import signal
from collections.abc import Iterator

import pytest

from kaskad.runs.stop_signals import StopSignals


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
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
