from .limits import Limits as Limits
