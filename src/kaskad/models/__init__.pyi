from .cascade import CascadeRecogniser as CascadeRecogniser
from .corrector import Corrector as Corrector
from .ctc import CTCRecogniser as CTCRecogniser
from .ctc_crf import CTCCRFLoss as CTCCRFLoss
from .ctc_losses import CTCLoss as CTCLoss
from .encoders.cascade import Cascade as Cascade
from .encoders.cascade_lstm import CascadeLSTM as CascadeLSTM
from .encoders.citrinet import Citrinet as Citrinet
from .encoders.cnn1d import CNN1d as CNN1d
from .encoders.cnn2d import CNN2d as CNN2d
from .encoders.cnn2d_lstm import CNN2dLSTM as CNN2dLSTM
from .encoders.conformer import Conformer as Conformer
from .encoders.pretrained import PretrainedEncoder as PretrainedEncoder
from .encoders.quartznet import Jasper as Jasper
from .encoders.quartznet import QuartzNet as QuartzNet
from .encoders.recurrent import RecurrentEncoder as RecurrentEncoder
from .encoders.transformer import Transformer as Transformer
from .encoders.word_cnn import WordCNN as WordCNN
from .gender import GenderRecogniser as GenderRecogniser
from .language_model import LanguageModel as LanguageModel
from .layers.attention_decoder import AttentionDecoder as AttentionDecoder
from .layers.lstm_lm import LSTMLanguageModel as LSTMLanguageModel
from .layers.prediction import PredictionNet as PredictionNet
from .layers.transformer_lm import (
    TransformerLanguageModel as TransformerLanguageModel,
)
from .pronunciation import PronunciationModel as PronunciationModel
from .scheduled_sampling import ScheduledSampling as ScheduledSampling
from .schedules import constant as constant
from .schedules import one_cycle as one_cycle
from .schedules import plateau as plateau
from .seq2seq import Seq2SeqRecogniser as Seq2SeqRecogniser
from .transducer import TransducerRecogniser as TransducerRecogniser
from .word_classifier import WordClassifier as WordClassifier
