"""The first signal is noted, the second has its usual effect."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kaskad.runs import distributed
from kaskad.runs.slurm import queued_again_when_warned
from kaskad.runs.stop_signals import NUMBERS, StopSignals, handed_on


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    numbers = (*NUMBERS, signal.SIGCHLD)
    handlers = {number: signal.getsignal(number) for number in numbers}
    for number in NUMBERS:  # nohup has one ignored, and a test before may have left a handler
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("first", NUMBERS)
def test_the_second_signal_interrupts_at_once(first: int, capfd, monkeypatch) -> None:
    signals = StopSignals()
    signals.listen()
    signals.listen()
    signal.raise_signal(first)
    assert signals.received == first
    assert "once more stops at once" in capfd.readouterr().err
    signal.raise_signal(first)  # the same once more, from whoever hands it on
    monkeypatch.setattr("kaskad.runs.stop_signals.ECHO", 0.0)
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
    assert signals.received is None


def test_a_terminal_that_is_closed_does_not_end_a_run_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = StopSignals()
    signals.listen()
    signal.raise_signal(signal.SIGHUP)
    assert signals.received is None
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
    with pytest.raises(SystemExit) as end, queued_again_when_warned(), handed_on(list) as received:
        signal.raise_signal(signal.SIGUSR1)
        assert received == [signal.SIGUSR1] and not asked.exists()
    assert end.value.code == 128 + signal.SIGUSR1
    assert asked.read_text() == "requeue 77\n"
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2, signal.SIGINT])
def test_the_jobs_of_a_sweep_are_asked_to_stop_once_then_killed(number: int, monkeypatch) -> None:
    job = subprocess.Popen(
        ["sh", "-c", f"trap 'echo asked' {number}; echo up; while :; do sleep 0.1; done"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None and job.stdout.readline() == "up\n"
    with pytest.raises((SystemExit, KeyboardInterrupt)) as end, handed_on(lambda: [job.pid]):
        signal.raise_signal(number)
        signal.raise_signal(number)  # as where all of a group get it
        assert job.stdout.readline() == "asked\n"
        assert job.poll() is None
        monkeypatch.setattr("kaskad.runs.stop_signals.ECHO", 0.0)
        signal.raise_signal(number)
        assert job.wait() == -signal.SIGKILL
    assert job.stdout.read() == ""
    is_interrupt = number == signal.SIGINT
    assert is_interrupt or end.value.code == 128 + number


CHILD = """
from kaskad.runs.stop_signals import ends_with_parent
ends_with_parent()
print("up", flush=True)
input()
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
"""


def test_what_a_sweep_has_started_does_not_outlive_it() -> None:
    command = [sys.executable, "-c", PARENT, CHILD]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    process.kill()
    assert process.stdout.read() == ""  # its end: both processes hold it open


def test_a_process_of_a_run_ends_where_the_first_has(monkeypatch) -> None:
    distributed.end_with_first()  # started by nobody, or by torchrun
    with distributed.known_as_first():
        here = os.environ[distributed.FIRST]
    assert int(here) == os.getpid() and distributed.FIRST not in os.environ
    monkeypatch.setattr("kaskad.runs.distributed.ends_with_parent", lambda: None)
    monkeypatch.setenv(distributed.FIRST, str(os.getppid()))
    distributed.end_with_first()
    monkeypatch.setenv(distributed.FIRST, "999999999")
    with pytest.raises(SystemExit):
        distributed.end_with_first()
