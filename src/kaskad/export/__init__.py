"""A recogniser for other programs: ONNX, phones, boards."""

import os

# onnxruntime would else report its use to its maker, from its import on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
