"""Nets (plain nn.Module) and the LightningModules that train them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
