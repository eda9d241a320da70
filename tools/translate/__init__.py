"""Translates the numeric functions of the library to C: ``python tools/translate``."""
