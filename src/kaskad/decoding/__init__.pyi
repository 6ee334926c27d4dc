from .attention_beam import AttentionBeamSearch as AttentionBeamSearch
from .beam import BeamDecoder as BeamDecoder
from .greedy import GreedyDecoder as GreedyDecoder
from .lexicon import LexiconDecoder as LexiconDecoder
from .transducer_search import TransducerSearch as TransducerSearch
