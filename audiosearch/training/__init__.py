"""How compact.tflite was made; never imported by the rest."""
