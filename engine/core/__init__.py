"""Pure numpy: no I/O, no clock, no hidden randomness. The types everyone shares live here."""
