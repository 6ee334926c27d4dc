"""The first signal is noted, the second has its usual effect."""

import signal
from collections.abc import Iterator

import pytest

from kaskad.runs.slurm import queued_again_when_warned
from kaskad.runs.stop_signals import NUMBERS, StopSignals, warnings_put_off


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    numbers = (*NUMBERS, signal.SIGCHLD)
    handlers = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored
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


def test_a_warning_waits_for_the_jobs_of_a_sweep_and_queues_it_again(monkeypatch, tmp_path) -> None:
    asked = tmp_path / "asked.txt"
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    with pytest.raises(SystemExit) as end, queued_again_when_warned(), warnings_put_off() as heard:
        signal.raise_signal(signal.SIGUSR1)
        assert heard == [signal.SIGUSR1] and not asked.exists()
    assert end.value.code == 128 + signal.SIGUSR1
    assert asked.read_text() == "requeue 77\n"
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
