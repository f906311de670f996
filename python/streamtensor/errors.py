"""Errors that are the user's to mend."""

import sys


class Error(Exception):
    """The message of a failed call, located, with what to do."""

    def show(self):
        """Print it to standard error; library messages say "error: " already."""
        text = str(self)
        print(text if "error: " in text else f"error: {text}",
              file=sys.stderr)


class ExportError(Exception):
    """What is wrong with the model or its files, and what to do."""
