"""A recogniser for other programs: ONNX, phones, boards."""
