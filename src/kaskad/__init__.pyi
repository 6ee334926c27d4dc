from .cli.from_python import train as train
from .models.loading import load as load

__version__: str
