"""Command-line options, made from dataclasses."""
