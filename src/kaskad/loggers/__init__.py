"""Where figures of a run are kept: one file a choice of conf/logger."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
