"""Any error that ended a run, Hydra's own included, explained in at most three lines."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from textwrap import shorten
from traceback import walk_tb

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    OmegaConfBaseException,
)
from yaml import MarkedYAMLError

from kaskad.config.extras import how_to_install
from kaskad.config.overrides import as_text, for_the_shell, with_quotes

LINES, WIDTH = 3, 1000  # lines and characters a line that an explanation may have
HYDRA_KEYWORDS = {"_target_", "_args_", "_partial_", "_recursive_", "_convert_"}


class ConfigurationError(ValueError):
    """A configuration that no run can begin with; its message has one line for each fault."""


def explain(error: BaseException, groups: Iterable[str] = ()) -> str:
    """At most three lines on an error: the key or file, what could stand there, the first cause.

    `groups` are names of config groups, offered beside the keys where a name is misspelt.
    """
    match unwrapped(error):
        case MissingConfigException(missing_cfg_file=str(path), options=[_, *_] as options):
            group, _, choice = path.rpartition("/")
            parent = re.match("In '(.+?)'", str(error))
            lines = [
                f"{group}={choice}: no such choice{did_you_mean(choice, options)}",
                f"{group} is one of {nearest_first(choice, options)}",
                f"asked for in {parent[1]}.yaml or on the command line" if parent else "",
            ]
        case ConfigCompositionException(
            __cause__=(ConfigAttributeError() | ConfigKeyError()) as cause
        ) if cause.full_key and cause.parent_node is not None:
            parent_key, dot, key = cause.full_key.rpartition(".")
            beside = {str(name) for name in cause.parent_node} - HYDRA_KEYWORDS - {"hydra"}
            if not dot:
                beside.update(groups)
            kind, where = ("option", f"{parent_key} has") if dot else ("option or group", "it has")
            lines = [
                f"{cause.full_key}: no such {kind}{did_you_mean(key, beside, parent_key + dot)}",
                f"{where} {nearest_first(key, beside)}" if beside else "",
                str(error).splitlines()[-1],  # how to add it as a new key
            ]
        case ConfigCompositionException() if match := re.match(
            r"Ambiguous value for argument '(.+?)=(.*)'", str(error)
        ):
            key, values = match[1], match[2]
            lines = [
                f"{key}={values}: several values, which is a sweep: add -m to the command",
                f"as a list: {for_the_shell(f'{key}=[{values}]')}",
                f"as one text: {as_text(key, values)}",
            ]
        case ConfigCompositionException() if match := re.match(
            r"Could not delete from config. '(.+?)' does not exist", str(error)
        ):
            where, dot, key = match[1].rpartition(".")
            beside = set(_keys_at(where, error))
            lines = [
                f"~{match[1]}: no such option{did_you_mean(key, beside, f'~{where}{dot}')}",
                f"{where or 'it'} has {nearest_first(key, beside)}" if beside else "",
            ]
        case OverrideParseException(override=override, message=str(message)):
            reason = [line for line in message.splitlines()[:-1] if override not in line]
            quoted = with_quotes(override)
            hint = f"in quotes it can: {quoted}" if quoted else ""
            lines = [f"{override}: cannot be read as key=value", hint, *reason]
        case MarkedYAMLError(problem=problem, context=context, problem_mark=mark) if mark:
            lines = [f"{mark.name}, line {mark.line + 1}: {problem}", context or ""]
        case OmegaConfBaseException(full_key=str(key), msg=str(message)) if key and message:
            lines = [f"{key}: {message.splitlines()[0]}"]
        case InstantiationException(__cause__=Exception()):
            full_key = re.search(r"full_key: (\S+)", str(error))
            what = str(error).splitlines()[0].rstrip(":")
            lines = [f"{full_key[1]}: {what}" if full_key else what, innermost_cause(error)]
        case RuntimeError() if "DataLoader worker" in str(error):
            lines = [
                "a process that reads audio was ended from outside: as a rule there was too little "
                "memory, or too little of it for processes to share (/dev/shm)",
                "take fewer of them (datamodule.workers=1), or none (datamodule.workers=0); in a "
                "container, more to share (docker run --shm-size=1g)",
            ]
        case ConfigurationError() as fault:
            lines = str(fault).splitlines()
        case _:
            lines = _named(error).splitlines()
            if error.__cause__:
                lines = [*lines[: LINES - 1], f"because of {innermost_cause(error)}"]
    lines = [line.strip() for text in lines for line in text.splitlines() if line.strip(" ^")]
    lines[LINES - 1 :] = ["; ".join(lines[LINES - 1 :])]
    return "\n".join(shorten(line, WIDTH, placeholder=" ...") for line in lines if line)


def unwrapped(error: BaseException) -> BaseException:
    """The ``ConfigurationError`` that a resolver of ours raised, in place of what OmegaConf made of
    it; any other error as it is."""
    inner: BaseException | None = error if isinstance(error, InterpolationResolutionError) else None
    while inner is not None and not isinstance(inner, ConfigurationError):
        inner = inner.__cause__ or inner.__context__
    return inner or error


def did_you_mean(word: str, choices: Iterable[str], prefix: str = "") -> str:
    """The end of a sentence: the choice that is spelt most like `word`, or nothing."""
    near = get_close_matches(word, choices, n=1)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


def nearest_first(word: str, choices: Iterable[str]) -> str:
    """All choices in a row, those spelt like `word` before the others."""
    near = get_close_matches(word, choices)
    return ", ".join([*near, *sorted(set(choices).difference(near))])


def require_figure(name: str, figures: Iterable[str], option: str) -> None:
    """Raise ``ConfigurationError`` where ``option`` names a figure that does not exist."""
    if name not in figures:
        question = did_you_mean(name, figures)
        raise ConfigurationError(
            f"{option}={name}: there is no such figure{question}\n"
            f"the figures are {nearest_first(name, figures)}"
        )


def _keys_at(name: str, error: BaseException) -> list[str]:
    """The keys of what Hydra had composed where it failed, which its error does not tell."""
    for frame, _ in walk_tb(error.__traceback__):
        composed = frame.f_locals.get("cfg")
        if isinstance(composed, DictConfig):
            part = OmegaConf.select(composed, name) if name else composed
            return [str(key) for key in part or () if key not in HYDRA_KEYWORDS]
    return []


def _named(error: BaseException) -> str:
    """The error's message, after its type unless the message was written to stand alone."""
    if type(error) is ValueError or isinstance(error, ConfigurationError | HydraException):
        return str(error)
    module = error.name if isinstance(error, ModuleNotFoundError) else None
    if module and (command := how_to_install(module)):
        return f"{module} is not installed: {command}"
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def innermost_cause(error: BaseException) -> str:
    """The message of the error that began it all, or of the one that says what to do about it."""
    while error.__cause__ and not isinstance(error, ConfigurationError):
        error = error.__cause__
    return _named(error)
