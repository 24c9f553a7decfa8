"""Training of compact.tflite. Not in the wheel, and not imported by the rest of the package."""
