"""A cascade of encoders: a subnet for each language, and layers that all languages share."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, cast

from torch import Tensor, nn

from kaskad.audio.masks import Count, padding_mask
from kaskad.config.messages import did_you_mean
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.language import Adapter, LanguageVector, Scale
from kaskad.models.layers.subsampling import stack_frames

MakeEncoder = Callable[..., Encoder]


class Cascade(Encoder):
    """A front, a subnet for each of the ``branches``, then what all languages share.

    These parts are encoders of any kind (partial: their ``input_size`` is given here). The first
    branch is that of the language which is recognised; the others help the shared part to learn.
    Without a subnet there is one net for all languages, told apart by ``language_embedding`` or not
    at all.

    The weights of a part bear its name: ``front``, ``subnets.<branch>``, ``embeddings.<branch>``,
    ``entries.<branch>`` and ``exits.<branch>`` (what adapts), ``shared``. By these names they are
    frozen, and transferred from one cascade to another.

    Args:
        input_size: Bins that come in.
        branches: The names of the languages.
        shared: What all languages go through last.
        subnet: What each language has of its own, if anything.
        front: What comes first, before the subnets, if anything.
        time_reduction: Neighbouring frames stacked into one before everything else; what the parts
            compress multiplies with it.
        front_per_language: Whether each language has a front of its own.
        tied: Groups of branches whose subnet is one and the same.
        language_embedding: How many learned values stand for a language where the shared part
            begins; 0: none.
        adaptation: What each language has before and after the shared part: nothing, a scale a unit
            (LHUC), or an adapter.
        adapter_size: Units of an adapter.

    Raises:
        ValueError: If ``tied`` names no branch, or one twice, or there is nothing to tie.
    """

    def __init__(
        self,
        input_size: int,
        branches: Sequence[str],
        shared: MakeEncoder,
        subnet: MakeEncoder | None = None,
        front: MakeEncoder | None = None,
        *,
        time_reduction: int = 1,
        front_per_language: bool = False,
        tied: Sequence[Sequence[str]] = (),
        language_embedding: int = 0,
        adaptation: Literal["none", "scales", "adapters"] = "none",
        adapter_size: int = 32,
    ) -> None:
        super().__init__()
        _require_sizes(time_reduction, language_embedding, adapter_size)
        self.branches = list(dict.fromkeys(branches))
        self.stacked = time_reduction
        self.dim = time_reduction * input_size
        leaders = _leaders(tied, self.branches, subnet)

        self.front = self._each(front) if front_per_language else self._one(front)
        self.subnets = self._each(subnet)
        for branch, leader in leaders.items():
            self.subnets[branch] = self.subnets[leader]
        vector = LanguageVector if language_embedding else None
        self.embeddings = self._each(vector, size=language_embedding)
        self.entries = self._adapting(adaptation, adapter_size)
        self.shared = self._one(shared)
        self.exits = self._adapting(adaptation, adapter_size)
        self.time_reduction = time_reduction
        for part in self.path(self.branches[0]):
            self.time_reduction *= part.time_reduction

    def path(self, branch: str) -> Iterator[Encoder]:
        """The parts that ``branch`` goes through, one after the other."""
        stages = self.front, self.subnets, self.embeddings, self.entries, self.shared, self.exits
        for stage in stages:
            if isinstance(stage, nn.ModuleDict):
                if len(stage):
                    yield cast(Encoder, stage[branch])
            elif stage is not None:
                yield stage

    def frame_count(self, frames: Count) -> Count:
        frames = -(-frames // self.stacked)
        for part in self.path(self.branches[0]):
            frames = part.frame_count(frames)
        return frames

    def forward(
        self, features: Tensor, lengths: Tensor, branch: str | None = None
    ) -> tuple[Tensor, Tensor]:
        """As ``Encoder`` promises, through ``branch`` (``None``: the first)."""
        name = self.branches[0] if branch is None else branch
        if name not in self.branches:
            raise ValueError(
                f"no branch for '{name}': this cascade has {', '.join(self.branches)}. A corpus "
                "names its branch by its language, or by branch=…"
            )
        sequences = stack_frames(features, lengths, self.stacked)
        lengths = -(-lengths // self.stacked)
        for part in self.path(name):
            sequences, lengths = part(sequences, lengths)
            outside = padding_mask(lengths, sequences.shape[1])
            sequences = sequences.masked_fill(outside[:, :, None], 0.0)
        return sequences, lengths

    def load_pretrained(self) -> None:
        for part in {part for branch in self.branches for part in self.path(branch)}:
            part.load_pretrained()

    def _one(self, make: MakeEncoder | None) -> Encoder | None:
        if make is None:
            return None
        part = make(input_size=self.dim)
        self.dim = part.dim
        return part

    def _each(self, make: MakeEncoder | None, **settings: int) -> nn.ModuleDict:
        """One for each branch, or for none."""
        if make is None:
            return nn.ModuleDict()
        parts = {branch: make(input_size=self.dim, **settings) for branch in self.branches}
        self.dim = parts[self.branches[0]].dim
        return nn.ModuleDict(parts)

    def _adapting(self, adaptation: str, size: int) -> nn.ModuleDict:
        if adaptation == "adapters":
            return self._each(Adapter, size=size)
        return self._each(Scale if adaptation == "scales" else None)


def _require_sizes(time_reduction: int, language_embedding: int, adapter_size: int) -> None:
    for name, value, least in (
        ("time_reduction", time_reduction, 1),
        ("language_embedding", language_embedding, 0),
        ("adapter_size", adapter_size, 1),
    ):
        if value < least:
            raise ValueError(f"{name} is {value}; it is {least} or more")


def _leaders(
    tied: Sequence[Sequence[str]], branches: Sequence[str], subnet: MakeEncoder | None
) -> dict[str, str]:
    """Of each branch that is tied to another, which one."""
    names = [name for group in tied for name in group]
    if names and subnet is None:
        raise ValueError("tied: this cascade has no subnets (subnet is null) that could be tied")
    for name in names:
        if name not in branches:
            question = did_you_mean(name, branches)
            known = ", ".join(branches)
            raise ValueError(f"tied: no branch is called '{name}'{question} There are {known}")
        if names.count(name) > 1:
            raise ValueError(f"tied: '{name}' stands in it twice; a branch is in one group at most")
    return {name: group[0] for group in tied for name in group[1:]}
