"""Errors that are the user's to mend."""


class Error(Exception):
    """The message of a failed call, located, with what to do."""


class ExportError(Exception):
    """What is wrong with the model or its files, and what to do."""
