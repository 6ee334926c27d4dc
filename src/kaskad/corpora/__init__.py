"""Where utterances come from: the manifest, and one file a corpus or format that makes one."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
