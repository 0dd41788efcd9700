"""From text to phones: numbers and abbreviations read out, words looked up, unknown words spelled by rule."""
