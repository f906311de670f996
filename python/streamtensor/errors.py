"""Errors that are the user's to mend."""


class ExportError(Exception):
    """What is wrong with the model or its files, and what to do."""
