from .characters import CharacterTokenizer as CharacterTokenizer
from .phonemes import PhonemeTokenizer as PhonemeTokenizer
from .phrases import PhraseTokenizer as PhraseTokenizer
from .subwords import SubwordTokenizer as SubwordTokenizer
from .words import WordTokenizer as WordTokenizer
