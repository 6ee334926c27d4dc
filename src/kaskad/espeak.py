"""The one place that touches libespeak-ng, which comes in the wheel ``espeakng-loader``.

The engine remembers: intonation, random breath noise and the previous voice all leak into the next
utterance. So each use gets the library freshly loaded, with its random numbers seeded, and the same
arguments give the same samples whatever was spoken before, in whichever process.

API: https://github.com/espeak-ng/espeak-ng/blob/1.52.0/src/include/espeak-ng/espeak_ng.h
"""

import _ctypes
import ctypes
import difflib
import functools
import os
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import espeakng_loader
import numpy as np

SAMPLE_RATE = 22050
"""Samples a second of everything the engine speaks, in Hz."""

_DATA = Path(espeakng_loader.get_data_path())
_SYNCHRONOUS = 1  # speak before returning; the other modes hand the text to a thread, and lose some
_CHARACTER = 1  # the unit of positions in a text
_UTF8 = 1
_IPA = 2
_TIE = 0x80 | ord("\u0361") << 8  # in a phone of several letters, a tie between them: t͡ʃ
_FOREIGN = re.compile(r"\(.*?\)")  # "(en)", where the engine turns to the voice of another language
# Marks of the engine's own that are no IPA, as in bʲu"dʒˈɛt and bʌrɪ^bˈɑ, and a tie to them.
_NO_IPA = re.compile("[!-/:-@\\[-`{-~]\u0361?|\u0361[!-/:-@\\[-`{-~]")
_PARAMETERS = {"rate": (1, 80, 450), "pitch": (3, 0, 99), "pitch_range": (4, 0, 99)}

_Listener = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_one_at_a_time = threading.Lock()


class EspeakError(RuntimeError):
    """A call into libespeak-ng failed."""


def synthesise(
    text: str,
    *,
    voice: str,
    rate: int = 175,
    pitch: int = 50,
    pitch_range: int = 50,
    seed: int = 0,
) -> np.ndarray:
    """Speak a text: int16 samples (samples,), mono, at ``SAMPLE_RATE``.

    ``voice`` is a language, alone or with a voice variant: ``ru``, ``ru+f3``. ``rate`` is words a
    minute (80..450). At 50, ``pitch`` and ``pitch_range`` (0..99) leave the variant as it is; pitch
    0 lowers its F0 by about a third, 99 raises it by about two thirds; pitch range 0 is monotone.
    ``seed`` is that of the breath noise some variants have.

    Raises ``ValueError`` for an unknown language or variant or a number out of its range, and
    ``EspeakError`` if the engine itself fails.
    """
    values = {"rate": rate, "pitch": pitch, "pitch_range": pitch_range}
    for name, (_, lowest, highest) in _PARAMETERS.items():
        if not lowest <= values[name] <= highest:
            raise ValueError(f"{name} must lie in {lowest}..{highest}, got {values[name]}")

    # Python handles signals in the main thread only. There a Ctrl-C would be raised in the listener
    # below, which C calls, and be lost together with a piece of the speech.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_synthesise, text, voice, values, seed).result()


def _synthesise(text: str, voice: str, values: dict[str, int], seed: int) -> np.ndarray:
    samples = bytearray()

    @_Listener
    def take_samples(wave: int | None, count: int, _events: int | None) -> int:
        if wave:
            samples.extend(ctypes.string_at(wave, count * 2))
        return 0  # go on

    encoded = text.encode()
    size = ctypes.c_size_t(len(encoded) + 1)
    with _engine(voice, seed) as engine:
        engine.espeak_SetSynthCallback(take_samples)
        for name, value in values.items():
            _call(engine, "espeak_ng_SetParameter", _PARAMETERS[name][0], value, 0)
        _call(engine, "espeak_ng_Synthesize", encoded, size, 0, _CHARACTER, 0, _UTF8, None, None)
    return np.frombuffer(samples, dtype=np.int16)


def pronounce(words: Sequence[str], *, voice: str) -> list[str]:
    """Return each word in IPA, as it is spoken alone: "чай" is "t͡ʃʲˈɑj".

    Stress stands before its vowel; the letters of one phone are tied (U+0361). Asked for a whole
    phrase, the engine would run words together ("of the" is one). What it has no sound for is "".

    Raises ``ValueError`` for an unknown language, and ``EspeakError`` if the engine itself fails.
    """
    with _engine(voice) as engine:
        engine.espeak_TextToPhonemes.restype = ctypes.c_char_p
        return [_phonemes(engine, word) for word in words]


def _phonemes(engine: ctypes.CDLL, text: str) -> str:
    buffer = ctypes.create_string_buffer(text.encode())
    rest = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses = []
    while rest.value:  # a clause at a time
        clauses.append(
            engine.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA | _TIE).decode()
        )
    # The tie comes between the letters of "(en)", too.
    return "".join(_NO_IPA.sub("", _FOREIGN.sub("", "".join(clauses))).split())


def voice_variants() -> list[str]:
    """The names that may follow a language and a ``+``: ``f3``, ``m1``, ``Andrea``, …"""
    return sorted(path.name for path in (_DATA / "voices" / "!v").iterdir())


def languages() -> list[str]:
    """The languages the engine speaks, in lower case: ``ru``, ``en``, ``en-us``, …"""
    return sorted(_language_files())


@functools.cache
def _language_files() -> dict[str, str]:
    folder = _DATA / "lang"
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.name.lower(): path.relative_to(folder).as_posix() for path in files}


@contextmanager
def _engine(voice: str, seed: int = 0) -> Iterator[ctypes.CDLL]:
    """libespeak-ng as if nothing had ever been spoken, with a voice chosen."""
    voice_file = _voice_file(voice)
    with _one_at_a_time:
        engine = ctypes.CDLL(espeakng_loader.get_library_path())
        try:
            engine.espeak_ng_InitializePath(os.fsencode(_DATA))
            _check_data_path(engine)
            _call(engine, "espeak_ng_Initialize", None)
            _call(engine, "espeak_ng_InitializeOutput", _SYNCHRONOUS, 0, None)
            # Noise comes from the engine's own generator, in Klatt variants from the C library's.
            engine.espeak_ng_SetRandSeed(ctypes.c_long(seed))
            ctypes.CDLL(None).srand(ctypes.c_uint(seed))
            _call(engine, "espeak_ng_SetVoiceByName", voice_file.encode())
            yield engine
        finally:
            engine.espeak_ng_Terminate()
            _ctypes.dlclose(engine._handle)


def _check_data_path(engine: ctypes.CDLL) -> None:
    """Refuse other data than the wheel's: the engine would turn to the system's if it fails."""
    path = ctypes.c_char_p()
    engine.espeak_Info(ctypes.byref(path))
    if path.value != os.fsencode(_DATA):
        raise EspeakError(
            f"espeak-ng cannot open its data in {_DATA} ({len(str(_DATA))} characters; it takes "
            f"157): install the package espeakng-loader again, in a shorter path"
        )


def _voice_file(voice: str) -> str:
    """Turn ``ru+f3`` into ``zle/ru+f3``: by its path a voice is found without reading all others.

    Both names are checked, for the engine takes an unknown variant without a word.
    """
    language, plus, variant = voice.partition("+")
    if language.lower() not in _language_files():
        raise ValueError(_unknown("language", language, languages()))
    if plus and variant not in voice_variants():
        raise ValueError(_unknown("voice variant", variant, voice_variants()))
    return _language_files()[language.lower()] + plus + variant


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.3)
    return f"espeak-ng has no {kind} {name!r}; near it: {', '.join(near) or 'nothing'}"


def _call(engine: ctypes.CDLL, function: str, *arguments: object) -> None:
    """Call a function that returns a status, and raise ``EspeakError`` if it is not success."""
    status = getattr(engine, function)(*arguments)
    if status != 0:
        message = ctypes.create_string_buffer(512)
        engine.espeak_ng_GetStatusCodeMessage(status, message, ctypes.c_size_t(len(message)))
        raise EspeakError(f"{function} failed: {message.value.decode(errors='replace')}")
