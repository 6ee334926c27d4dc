"""What is wrong with a configuration, found before a run begins, with what to do about it."""

import inspect
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Unpack, cast, get_args, get_origin, get_type_hints

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from typeguard import CollectionCheckStrategy, ForwardRefPolicy, TypeCheckError, check_type

from kaskad.config.messages import (
    HYDRA_KEYWORDS,
    ConfigurationError,
    did_you_mean,
    innermost_cause,
    nearest_first,
)
from kaskad.config.overrides import as_text


def check(config: DictConfig, defaults: DictConfig | None = None) -> None:
    """Raise `ConfigurationError` where the configuration cannot work, before anything is built.

    First come values still missing (`???`) and interpolations that lead nowhere. Then values at
    the top level are held against the types of their `defaults`, the command's own file as it
    is written. Then each `_target_` is imported and its keywords are held against its
    signature: names it does not take, plain values that do not fit their annotation. A
    parameter that nobody gave is no fault, for code may hand it over.
    """
    faults = list(_faults_of_values(config))
    if not faults:
        faults = [*_faults_of_types(config, defaults or DictConfig({})), *_faults_of_calls(config)]
    if faults:
        raise ConfigurationError("\n".join(faults))


def _entries(node: DictConfig | ListConfig, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Full name, container and key of every value below `node`.

    Missing values and interpolations are named too, but not entered: what an interpolation points
    to stands elsewhere.
    """
    in_list = isinstance(node, ListConfig)
    for key in range(len(node)) if in_list else list(node):
        full_name = f"{name}[{key}]" if in_list else f"{name}.{key}".lstrip(".")
        yield full_name, node, key
        if _stands_here(node, key) and OmegaConf.is_config(node[key]):
            yield from _entries(node[key], full_name)


def _stands_here(node: DictConfig | ListConfig, key: Any) -> bool:
    return not (OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key))


def _faults_of_values(config: DictConfig) -> Iterator[str]:
    missing, unresolved = [], []
    for name, node, key in _entries(config):
        if OmegaConf.is_missing(node, key):
            # In a partial call Hydra lets `???` stand: whoever completes the call gives the value.
            if not (isinstance(node, DictConfig) and node.get("_partial_")):
                missing.append(name)
        else:
            try:
                node[key]
            except OmegaConfBaseException as error:
                unresolved.append(f"{name}{_choice(name)}: {str(error).splitlines()[0]}")
    if missing:
        yield "no value yet for " + ", ".join(name + _choice(name) for name in missing)
        yield f"give it on the command line ({missing[0]}=...) or in its YAML file"
    else:
        yield from unresolved


def _faults_of_types(config: DictConfig, defaults: DictConfig) -> Iterator[str]:
    """Values that are not of the type of their default, which `null` and `???` leave open."""
    for key, default in cast(dict[str, Any], OmegaConf.to_container(defaults)).items():
        untouched = OmegaConf.is_interpolation(defaults, key) and not _stands_here(config, key)
        if default in (None, "???") or isinstance(default, dict) or untouched:
            continue
        value = config.get(key, default)
        if OmegaConf.is_config(value):
            value = OmegaConf.to_container(value, resolve=True)
        wanted = type(default)  # of an interpolation: str
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            if wanted is str and isinstance(value, int | float):
                yield f"{key}={value}: wants text; in quotes it is: {as_text(key, value)}"
            else:
                example = "" if OmegaConf.is_interpolation(defaults, key) else f"{key}={default}"
                yield f"{key}={value!r}: wants {wanted.__name__}{example and f', as in {example}'}"


def _faults_of_calls(config: DictConfig) -> Iterator[str]:
    for name, node, key in _entries(config):
        if _stands_here(node, key):
            call = node[key]
            if isinstance(call, DictConfig) and "_target_" in call:
                yield from _faults_of_call(call, name)


def _faults_of_call(call: DictConfig, name: str) -> Iterator[str]:
    target, origin = call["_target_"], _choice(name)
    logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # it would log what we report
    try:
        parameters = _parameters(get_object(target))
    except Exception as error:
        module, _, attribute = str(target).rpartition(".")
        question = did_you_mean(attribute, vars(sys.modules.get(module, object)))
        yield f"{name}{origin}: cannot import {target}: {innermost_cause(error)}{question}"
        return

    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keywords = {
        p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    arguments = list(zip(positional, call.get("_args_") or (), strict=False))
    for key in map(str, call):
        if key in keywords and not OmegaConf.is_missing(call, key):
            arguments.append((keywords[key], call[key]))
        elif key not in HYDRA_KEYWORDS.union(keywords) and not takes_any:
            known = nearest_first(key, keywords) or "no keywords"
            question = did_you_mean(key, keywords)
            yield f"{name}.{key}{origin}: {target} takes no {key}{question} (it takes {known})"
    for parameter, value in arguments:
        if OmegaConf.is_config(value):
            value = OmegaConf.to_container(value, resolve=True)
        if not _fits(value, parameter):
            wanted = inspect.formatannotation(parameter.annotation)
            yield f"{name}.{parameter.name}={value!r}{origin}: {target} wants {wanted}"


def _choice(name: str) -> str:
    """Which choice of its config group a key comes from, as in ` (model=lstm)`, where known."""
    if not HydraConfig.initialized():
        return ""
    group = re.split(r"[.\[]", name)[0]
    choice = HydraConfig.get().runtime.choices.get(group)
    return f" ({group}={choice})" if choice else ""


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a call takes, with annotations resolved unless one names what only mypy can see."""
    for eval_str in (True, False):
        with suppress(Exception):
            listed = inspect.signature(function, eval_str=eval_str).parameters.values()
            return [each for parameter in listed for each in _unpacked(parameter)]
    # Written in C, and does not tell.
    return list(inspect.signature(lambda *args, **kwargs: None).parameters.values())


def _unpacked(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """The keywords that ``**options: Unpack[Options]`` stands for; any other parameter itself."""
    if get_origin(parameter.annotation) is not Unpack:
        yield parameter
        return
    (options,) = get_args(parameter.annotation)
    for name, annotation in get_type_hints(options).items():
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)


def _fits(value: Any, parameter: inspect.Parameter) -> bool:
    """Whether a plain value may be given to a parameter; what cannot be told may."""
    annotation = parameter.annotation
    undecided = annotation is parameter.empty or isinstance(annotation, str)
    is_default = type(value) is type(parameter.default) and value == parameter.default
    if undecided or is_default or _holds_call(value):
        return True
    readings = [value, _as_tuples(value)]  # YAML has no tuples
    if isinstance(value, list):
        readings.append([_as_tuples(item) for item in value])
    for reading in readings:
        with suppress(TypeCheckError):
            check_type(
                reading,
                annotation,
                forward_ref_policy=ForwardRefPolicy.IGNORE,
                collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS,
            )
            return True
    return False


def _holds_call(value: Any) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(map(_holds_call, value.values()))
    return isinstance(value, list) and any(map(_holds_call, value))


def _as_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_tuples(item) for key, item in value.items()}
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
