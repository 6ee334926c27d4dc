from .csv_logger import ContinuedCSVLogger as ContinuedCSVLogger
from .mlflow_logger import MLflow as MLflow
from .tensorboard_logger import TensorBoard as TensorBoard
from .wandb_logger import WeightsAndBiases as WeightsAndBiases
